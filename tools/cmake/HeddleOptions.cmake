# Options and flags that every target shares.
option(HEDDLE_TESTS "Build the tests" ON)
option(HEDDLE_SANITIZE "Build with address and undefined-behaviour sanitizers" OFF)
option(HEDDLE_FUZZ "Build the libFuzzer targets; wants HEDDLE_SANITIZE" OFF)
option(HEDDLE_CCACHE "Compile through ccache where it is installed" ON)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET default)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")

if(HEDDLE_CCACHE)
  find_program(HEDDLE_CCACHE_PROGRAM ccache)
  if(HEDDLE_CCACHE_PROGRAM)
    # A precompiled header defeats ccache unless these differences are declared harmless.
    set(launcher "${CMAKE_COMMAND}" -E env "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime"
        "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" "CCACHE_NOHASHDIR=1" "${HEDDLE_CCACHE_PROGRAM}")
    set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  endif()
endif()

find_program(HEDDLE_LLD NAMES ld.lld-22 ld.lld)
if(HEDDLE_LLD)
  add_link_options("-fuse-ld=lld")
endif()
# The cache of compiled programs tells builds of the compiler apart by it.
add_link_options("-Wl,--build-id=sha1")
add_compile_options(-Wall -Wextra -Wno-unused-parameter)
if(HEDDLE_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=vptr -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
endif()

include_directories("${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}")
