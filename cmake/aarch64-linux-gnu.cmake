# Toolchain file: builds for 64-bit ARM with Debian's cross compiler (g++-aarch64-linux-gnu), and runs what was built under
# qemu-user, so that ctest works as it does at home.
#   cmake -S . -B build/aarch64 --toolchain cmake/aarch64-linux-gnu.cmake -DTELELINK_PREBUILT_DIR=... (scripts/test-aarch64.sh)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

# Libraries and headers of the machine that builds are not for the machine that runs. Packages are looked for on both: one of
# headers only (nlohmann_json) serves every machine.
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)

find_program(TELELINK_QEMU_AARCH64 qemu-aarch64)
if(TELELINK_QEMU_AARCH64)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${TELELINK_QEMU_AARCH64} -L /usr/aarch64-linux-gnu)
endif()
