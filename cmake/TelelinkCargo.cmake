# telelink_cargo_library(): a target telelink_cargo that puts the library into ${PROJECT_BINARY_DIR}/lib, under the names it
# has when installed. Sets TELELINK_SHARED_LIBRARY and TELELINK_STATIC_LIBRARY.
function(telelink_cargo_library)
  set(lib ${PROJECT_BINARY_DIR}/lib)
  set(shared ${lib}/libtelelink.so.${TELELINK_ABI})
  set(static ${lib}/libtelelink.a)

  if(TELELINK_PREBUILT_DIR)
    set(from ${TELELINK_PREBUILT_DIR})
    set(build ${CMAKE_COMMAND} -E true)
  else()
    find_program(TELELINK_CARGO cargo HINTS $ENV{HOME}/.cargo/bin REQUIRED)
    if(DEFINED ENV{CARGO_TARGET_DIR})
      get_filename_component(target_dir $ENV{CARGO_TARGET_DIR} ABSOLUTE BASE_DIR ${PROJECT_SOURCE_DIR})
    else()
      set(target_dir ${PROJECT_SOURCE_DIR}/target)
    endif()
    if(TELELINK_CARGO_PROFILE STREQUAL "dev")
      set(from ${target_dir}/debug)
    else()
      set(from ${target_dir}/${TELELINK_CARGO_PROFILE})
    endif()
    set(build ${TELELINK_CARGO} build --locked --package telelink --lib --profile ${TELELINK_CARGO_PROFILE})
  endif()

  # The LiveKit library lies where the loader looks for it, beside ours, here as in the installed package.
  set(livekit)
  if(TELELINK_LIVEKIT_LIBRARY)
    set(livekit COMMAND ${CMAKE_COMMAND} -E make_directory ${lib}/telelink
                COMMAND ${CMAKE_COMMAND} -E create_symlink ${TELELINK_LIVEKIT_LIBRARY} ${lib}/telelink/liblivekit_ffi.so)
  endif()

  # Cargo itself knows what is up to date, so it is always asked; the copies change only when it made something new.
  add_custom_target(
    telelink_cargo ALL
    COMMAND ${build}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${lib}
    COMMAND ${CMAKE_COMMAND} -E copy_if_different ${from}/libtelelink.so ${shared}
    COMMAND ${CMAKE_COMMAND} -E create_symlink libtelelink.so.${TELELINK_ABI} ${lib}/libtelelink.so
    COMMAND ${CMAKE_COMMAND} -E copy_if_different ${from}/libtelelink.a ${static}
    ${livekit}
    BYPRODUCTS ${shared} ${static}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    COMMENT "cargo: libtelelink (${TELELINK_CARGO_PROFILE})"
    USES_TERMINAL VERBATIM)

  set(TELELINK_SHARED_LIBRARY ${shared} PARENT_SCOPE)
  set(TELELINK_STATIC_LIBRARY ${static} PARENT_SCOPE)
endfunction()
