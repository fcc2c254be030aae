"""Tests of passes, messages and commands: run by lit, checked by FileCheck."""

import os
import shutil

import lit.formats

config.name = "heddle"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".heddle", ".test"]
config.excludes = ["inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.heddle_build, "tests", "lit", "output")
config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.heddle_build, "bin"), config.llvm_tools, os.environ["PATH"]]
)
# Messages and progress must not depend on who runs the tests.
config.environment["NO_COLOR"] = "1"
config.environment["HEDDLE_CACHE"] = "off"
config.environment.pop("HEDDLE_DEVICE", None)
if shutil.which("ptxas", path=os.pathsep.join([os.environ["PATH"], "/usr/local/cuda/bin"])):
    config.available_features.add("ptxas")
if config.sanitized:
    config.available_features.add("sanitized")
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        if name in os.environ:
            config.environment[name] = os.environ[name]
config.substitutions.append(("%heddle_plugin", os.path.join(config.heddle_build, "lib", "libHeddlePlugin.so")))
config.substitutions.append(("%heddle_lib", os.path.join(config.heddle_build, "lib")))
config.substitutions.append(("%inputs", os.path.join(config.test_source_root, "inputs")))
config.substitutions.append(("%programs", os.path.join(config.heddle_source, "tests", "programs")))
config.substitutions.append(("%examples", os.path.join(config.heddle_source, "examples")))
config.substitutions.append(("%heddle_source", config.heddle_source))
config.substitutions.append(("%python", "/usr/bin/python3"))
