# telelink_import(INCLUDE_DIRS <dir>... SHARED_LIBRARY <file> [STATIC_LIBRARY <file>] ABI <number>)
#
# Defines telelink::c, the library with its C headers, and telelink::telelink, the C++ wrapper. The one definition of both,
# for the build tree and for the installed package. With TELELINK_STATIC, telelink::c is the static library.
function(telelink_import)
  cmake_parse_arguments(arg "" "SHARED_LIBRARY;STATIC_LIBRARY;ABI" "INCLUDE_DIRS" ${ARGN})

  if(TELELINK_STATIC)
    find_package(Threads REQUIRED)
    add_library(telelink::c STATIC IMPORTED GLOBAL)
    set_target_properties(telelink::c PROPERTIES IMPORTED_LOCATION "${arg_STATIC_LIBRARY}")
    target_compile_definitions(telelink::c INTERFACE TELELINK_STATIC)
    target_link_libraries(telelink::c INTERFACE Threads::Threads ${CMAKE_DL_LIBS} m)
  else()
    add_library(telelink::c SHARED IMPORTED GLOBAL)
    set_target_properties(telelink::c PROPERTIES IMPORTED_LOCATION "${arg_SHARED_LIBRARY}"
                                                 IMPORTED_SONAME "libtelelink.so.${arg_ABI}")
  endif()
  set_target_properties(telelink::c PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${arg_INCLUDE_DIRS}")

  add_library(telelink::telelink INTERFACE IMPORTED GLOBAL)
  target_compile_features(telelink::telelink INTERFACE cxx_std_17)
  target_link_libraries(telelink::telelink INTERFACE telelink::c)
endfunction()
