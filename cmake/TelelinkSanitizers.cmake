# TELELINK_SANITIZE: instruments everything compiled here. The Rust library is not instrumented, but its allocations go
# through malloc and free, so that the address sanitizer sees them, leaks included.
if(TELELINK_SANITIZE)
  add_compile_options(-fsanitize=${TELELINK_SANITIZE} -fno-omit-frame-pointer -g)
  if(TELELINK_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  add_link_options(-fsanitize=${TELELINK_SANITIZE})
endif()
