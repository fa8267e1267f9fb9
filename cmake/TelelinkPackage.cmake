# Packages by CPack: one .tar.gz (cpack -G TGZ), or the Debian packages libtelelink0 and libtelelink-dev (cpack -G DEB, with
# the install folders of Debian). scripts/package.sh sets what is asked for here; by itself nothing is made.
set(TELELINK_PACKAGE_DOCS "" CACHE PATH "Folder with more documents for the package: licences of the crates, bill of materials")
set(TELELINK_PACKAGE_VIEW "" CACHE FILEPATH "telelink-view, the viewer for a terminal, to go into the package")
set(TELELINK_PACKAGE_GLIBC "" CACHE STRING "The glibc that the package needs, for the dependency of the Debian package")
set(TELELINK_PACKAGE_ARCHITECTURE "" CACHE STRING "Debian's name of the machine: amd64, arm64")
if(NOT TELELINK_PACKAGE_ARCHITECTURE)
  return()
endif()

if(TELELINK_PACKAGE_DOCS)
  install(DIRECTORY ${TELELINK_PACKAGE_DOCS}/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)
endif()
# Beside the LiveKit library, where it looks for it; people call it by a link.
if(TELELINK_PACKAGE_VIEW)
  install(PROGRAMS ${TELELINK_PACKAGE_VIEW} DESTINATION ${CMAKE_INSTALL_LIBDIR}/telelink COMPONENT development)
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/packaging)
  file(CREATE_LINK ../${CMAKE_INSTALL_LIBDIR}/telelink/telelink-view ${PROJECT_BINARY_DIR}/packaging/telelink-view SYMBOLIC)
  install(FILES ${PROJECT_BINARY_DIR}/packaging/telelink-view DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT development)
endif()
# What Debian calls a package's copyright file; both packages have their own.
install(FILES packaging/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)
if(NOT TELELINK_INSTALL_DEVDOCDIR STREQUAL CMAKE_INSTALL_DOCDIR)
  install(FILES packaging/copyright DESTINATION ${TELELINK_INSTALL_DEVDOCDIR} COMPONENT development)
endif()

set(CPACK_PACKAGE_NAME telelink)
set(CPACK_PACKAGE_VENDOR "the telelink authors")
set(CPACK_PACKAGE_CONTACT "the telelink authors <telelink@example.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Links a robot to remote viewers through any LiveKit server")
set(CPACK_PACKAGE_FILE_NAME ${CPACK_PACKAGE_NAME}-${PROJECT_VERSION}-linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_VERBATIM_VARIABLES ON)
# The libraries come stripped; the strip of this machine may not know the other one.
set(CPACK_STRIP_FILES OFF)
# A umask of the builder must not get into the packages.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
                                                WORLD_EXECUTE)

set(CPACK_COMPONENTS_ALL runtime development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${TELELINK_PACKAGE_ARCHITECTURE})
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# The dpkg of Debian 11 and Ubuntu 20.04 does not know zstd; xz takes a minute for each machine and saves a third.
set(CPACK_DEBIAN_COMPRESSION_TYPE gzip)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libtelelink${TELELINK_ABI})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
# Said, not asked of dpkg-shlibdeps: that would look at the libraries of the machine that builds. check_elf.sh keeps it true.
set(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS "libc6 (>= ${TELELINK_PACKAGE_GLIBC}), libgcc-s1")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/packaging/triggers
                                               ${PROJECT_BINARY_DIR}/packaging/shlibs)
configure_file(packaging/shlibs.in packaging/shlibs @ONLY)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION
    "A C++, C or Rust program on a robot links this library and logs messages to channels;
remote viewers see them live through any LiveKit server, and may call services, set
parameters and send commands. Speaks the Foxglove remote access protocol.
.
This package holds the library, and LiveKit's own library that it loads at run time.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libtelelink-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "libtelelink${TELELINK_ABI} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
    "Headers for C11 and C++17, the CMake package, the pkg-config file, the static library,
examples and the manual of telelink, which links a robot to remote viewers through any
LiveKit server; and telelink-view, a viewer for the terminal.")

include(CPack)
