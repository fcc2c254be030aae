# Finds LLVM and MLIR 22 and offers `heddle_compiler_library`, the one way to add a library that uses them.
find_program(HEDDLE_LLVM_CONFIG NAMES llvm-config-22 REQUIRED)
execute_process(COMMAND "${HEDDLE_LLVM_CONFIG}" --prefix OUTPUT_VARIABLE HEDDLE_LLVM_PREFIX
                OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
find_package(MLIR 22.1 REQUIRED CONFIG PATHS "${HEDDLE_LLVM_PREFIX}/lib/cmake/mlir" NO_DEFAULT_PATH)
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
set(LLVM_LINK_LLVM_DYLIB ON)
set(MLIR_LINK_MLIR_DYLIB ON)
include(TableGen)
include(AddLLVM)
include(AddMLIR)
# mlir_tablegen looks for included .td files in the directory property.
include_directories(SYSTEM ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
separate_arguments(HEDDLE_LLVM_DEFINITIONS NATIVE_COMMAND "${LLVM_DEFINITIONS}")

# heddle_mlir_settings(TARGET): include paths and definitions, for our targets that include MLIR headers.
function(heddle_mlir_settings target)
  target_include_directories(${target} SYSTEM PUBLIC ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
  target_compile_definitions(${target} PUBLIC ${HEDDLE_LLVM_DEFINITIONS})
endfunction()

# heddle_llvm: MLIR and LLVM for a program's link. Their shared libraries; or, for a program with the property HEDDLE_STATIC_LLVM,
# the parts of the static ones that it needs. Never both: each would have type identifiers of its own. The static targets that MLIR
# exports name the shared libraries too, hence the archives by name.
file(GLOB HEDDLE_MLIR_ARCHIVES "${HEDDLE_LLVM_PREFIX}/lib/libMLIR*.a")
list(FILTER HEDDLE_MLIR_ARCHIVES EXCLUDE REGEX "Test|CAPI|Lsp|Main|Reduce|Query")
execute_process(COMMAND "${HEDDLE_LLVM_CONFIG}" --link-static --libfiles x86codegen nvptxcodegen nvptxdesc nvptxinfo orcjit jitlink
                        passes target targetparser native
                OUTPUT_VARIABLE HEDDLE_LLVM_ARCHIVES OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
separate_arguments(HEDDLE_LLVM_ARCHIVES)
set(is_static "$<BOOL:$<TARGET_PROPERTY:HEDDLE_STATIC_LLVM>>")
add_library(heddle_llvm INTERFACE)
target_link_libraries(heddle_llvm INTERFACE "$<${is_static}:${HEDDLE_MLIR_ARCHIVES};${HEDDLE_LLVM_ARCHIVES};-l:libzstd.a;-l:libz.a>"
  "$<$<NOT:${is_static}>:MLIR;LLVM>")

# One precompiled header for everything that includes MLIR: header parsing is nearly all of the compile time.
add_library(heddle_pch OBJECT "${PROJECT_SOURCE_DIR}/tools/cmake/pch.cpp")
heddle_mlir_settings(heddle_pch)
target_compile_options(heddle_pch PUBLIC -fpch-instantiate-templates)
target_precompile_headers(heddle_pch PRIVATE "${PROJECT_SOURCE_DIR}/tools/cmake/pch.h")

# heddle_compiler_library(NAME SOURCES... [LINK libs...] [DEPENDS tablegen targets...])
# A static library over MLIR that reuses the precompiled header.
function(heddle_compiler_library name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  heddle_mlir_settings(${name})
  target_compile_options(${name} PRIVATE -fpch-instantiate-templates)
  target_precompile_headers(${name} REUSE_FROM heddle_pch)
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  # Every generated header of the dialects exists before anything of the compiler compiles.
  add_dependencies(${name} heddle_generated ${ARG_DEPENDS})
endfunction()

# heddle_compiler_executable(NAME SOURCES... LINK libs...): a program over MLIR's shared libraries.
function(heddle_compiler_executable name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  heddle_mlir_settings(${name})
  # CMake compiles executables as PIE, libraries as PIC; a precompiled header is shared by one of the two only.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC -fpch-instantiate-templates)
  target_precompile_headers(${name} REUSE_FROM heddle_pch)
  target_link_libraries(${name} PRIVATE ${ARG_LINK} heddle_llvm)
  add_dependencies(${name} heddle_generated)
endfunction()
add_custom_target(heddle_generated)
