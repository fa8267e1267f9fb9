# One program for each file of examples/c and examples/cpp, named after it, and the fixture robot of the conformance suite.
file(GLOB c_examples CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/c/*.c)
file(GLOB cpp_examples CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/cpp/*.cpp)
# A cross compiler finds no library of the other machine to adapt to.
if(CMAKE_CROSSCOMPILING)
  list(FILTER cpp_examples EXCLUDE REGEX "/log_(spdlog|rcutils)\\.cpp$")
endif()
find_package(Threads REQUIRED)

function(telelink_program name source library)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE ${library} Threads::Threads)
  telelink_warnings(${name})
endfunction()

foreach(source IN LISTS c_examples)
  get_filename_component(name ${source} NAME_WE)
  telelink_program(${name} ${source} telelink::c)
  target_compile_features(${name} PRIVATE c_std_11)
endforeach()
foreach(source IN LISTS cpp_examples)
  get_filename_component(name ${source} NAME_WE)
  telelink_program(${name} ${source} telelink::telelink)
endforeach()

# The log adapters need what they adapt to; scripts/apt.sh brings it.
if(NOT CMAKE_CROSSCOMPILING)
  find_package(spdlog 1.9 REQUIRED)
  target_link_libraries(log_spdlog PRIVATE spdlog::spdlog)
  # Not find_package(rcutils): outside of a ROS workspace that fails for want of ament.
  find_path(RCUTILS_INCLUDE_DIR rcutils/logging.h PATH_SUFFIXES rcutils REQUIRED)
  find_library(RCUTILS_LIBRARY rcutils REQUIRED)
  target_include_directories(log_rcutils SYSTEM PRIVATE ${RCUTILS_INCLUDE_DIR})
  target_link_libraries(log_rcutils PRIVATE ${RCUTILS_LIBRARY})
endif()

if(TELELINK_BUILD_TESTS AND NOT CMAKE_CROSSCOMPILING)
  # Each shows a record of the library in the form of the log that it goes to.
  find_package(Python3 3.10 REQUIRED COMPONENTS Interpreter)
  function(telelink_log_example name expected)
    add_test(NAME example.${name} COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/cpp/log_example.py
                                          $<TARGET_FILE:${name}> "${expected}")
    set_tests_properties(example.${name} PROPERTIES LABELS livekit TIMEOUT 60)
  endfunction()
  telelink_log_example(log_spdlog "\\[telelink\\] \\[warning\\] telelink::gateway::direct: not connected; trying again")
  telelink_log_example(log_syslog "robot\\[[0-9]+\\]: telelink::gateway::direct: not connected; trying again")
  telelink_log_example(log_rcutils "\\[WARN\\] .*\\[telelink.gateway.direct\\]: not connected; trying again")
endif()

# The fixture robot reads and writes JSON; the examples do it by hand.
find_package(nlohmann_json 3.10 REQUIRED)
file(GLOB fixture_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fixture/*.cpp)
telelink_program(fixture_robot "${fixture_sources}" telelink::telelink)
target_link_libraries(fixture_robot PRIVATE nlohmann_json::nlohmann_json)
# Two units instead of one for each file: most of the time goes into the headers.
list(LENGTH fixture_sources fixture_count)
math(EXPR fixture_half "(${fixture_count} + 1) / 2")
set_target_properties(fixture_robot PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${fixture_half})
