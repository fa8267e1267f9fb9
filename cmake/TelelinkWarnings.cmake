# telelink_warnings(<target>...): what our own code must compile with. Not for users of the package.
function(telelink_warnings)
  foreach(target IN LISTS ARGN)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
  endforeach()
endfunction()
