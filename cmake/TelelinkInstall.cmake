# The installed package: a prefix that may be moved. Two components: `runtime`, what a robot's program needs to run, and
# `development`, what is needed to build one. cmake/TelelinkPackage.cmake makes packages of them.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/telelink)

# telelink_install(<component> <arguments of install()>...)
function(telelink_install component)
  install(${ARGN} COMPONENT ${component})
endfunction()

telelink_install(runtime FILES ${TELELINK_SHARED_LIBRARY} DESTINATION ${CMAKE_INSTALL_LIBDIR})
telelink_install(runtime FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(TELELINK_LIVEKIT_LIBRARY)
  telelink_install(runtime FILES ${TELELINK_LIVEKIT_LIBRARY} DESTINATION ${CMAKE_INSTALL_LIBDIR}/telelink
                   RENAME liblivekit_ffi.so)
  get_filename_component(livekit_dir ${TELELINK_LIVEKIT_LIBRARY} DIRECTORY)
  file(GLOB livekit_licences ${livekit_dir}/LICENSE* ${livekit_dir}/NOTICE*)
  if(NOT livekit_licences)
    message(WARNING "no licence files beside ${TELELINK_LIVEKIT_LIBRARY}: the package must not be handed on without them")
  endif()
  telelink_install(runtime FILES ${livekit_licences} DESTINATION ${CMAKE_INSTALL_DOCDIR}/livekit)
endif()

install(DIRECTORY include/telelink cpp/include/telelink DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
        FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
telelink_install(development FILES ${PROJECT_BINARY_DIR}/lib/libtelelink.so DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TELELINK_STATIC OR TELELINK_INSTALL_STATIC)
  telelink_install(development FILES ${TELELINK_STATIC_LIBRARY} DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()

configure_package_config_file(cmake/telelinkConfig.cmake.in ${PROJECT_BINARY_DIR}/telelinkConfig.cmake
                              INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/telelinkConfigVersion.cmake COMPATIBILITY SameMinorVersion)
telelink_install(development FILES ${PROJECT_BINARY_DIR}/telelinkConfig.cmake
                 ${PROJECT_BINARY_DIR}/telelinkConfigVersion.cmake cmake/TelelinkImport.cmake
                 cmake/aarch64-linux-gnu.cmake DESTINATION ${package_dir})

# What is copied from, and read: examples and the manual.
set(TELELINK_INSTALL_DEVDOCDIR ${CMAKE_INSTALL_DOCDIR} CACHE STRING "Folder of the examples and the manual")
telelink_install(development DIRECTORY examples DESTINATION ${TELELINK_INSTALL_DEVDOCDIR})
install(DIRECTORY docs/ DESTINATION ${TELELINK_INSTALL_DEVDOCDIR}/manual COMPONENT development
        FILES_MATCHING PATTERN "*.md" PATTERN "*.svg")

# pkg-config finds the prefix from where the file lies, so that it moves with it.
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  file(RELATIVE_PATH TELELINK_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" TELELINK_PC_PREFIX "${TELELINK_PC_PREFIX}")
  configure_file(cmake/telelink.pc.in ${PROJECT_BINARY_DIR}/telelink.pc @ONLY)
  telelink_install(development FILES ${PROJECT_BINARY_DIR}/telelink.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()
