# Installs the runtime's components into WORK/prefix, moves that folder, and builds and runs CONSUMER against it.
# Run as cmake -DBUILD=... -DWORK=... -DCONSUMER=... -DCXX=... -DGENERATOR=... -P CheckPackage.cmake
file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")
foreach(component runtime development)
  execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --component ${component} --prefix "${WORK}/prefix"
                  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endforeach()
# A package must not remember where it was installed.
file(RENAME "${WORK}/prefix" "${WORK}/moved")
execute_process(COMMAND "${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${CONSUMER}" -B "${WORK}/build"
                "-DCMAKE_CXX_COMPILER=${CXX}" "-DCMAKE_PREFIX_PATH=${WORK}/moved"
                OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${WORK}/build" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${WORK}/build/consumer" WORKING_DIRECTORY "${WORK}" OUTPUT_VARIABLE output
                COMMAND_ERROR_IS_FATAL ANY)
if(NOT output STREQUAL "w f32[2, 2] sums to 6\n")
  message(FATAL_ERROR "the consumer printed: ${output}")
endif()

# libomp must be the one beside the runtime.
execute_process(COMMAND ldd "${WORK}/build/consumer" OUTPUT_VARIABLE loaded COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "libomp[^\n]*" line "${loaded}")
string(FIND "${line}" "${WORK}/moved/" place)
if(place EQUAL -1)
  message(FATAL_ERROR "libomp was not loaded from the package: ${line}")
endif()
