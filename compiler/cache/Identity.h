//===- Identity.h - Which build of the compiler this is ---------*- C++ -*-===//
#pragma once

#include <string>

namespace heddle::cache {

/// The linker's build ids of the object that holds the compiler, and of the shared libraries of LLVM, MLIR
/// and Heddle that are loaded: every change of the compiler changes it. "" where the compiler's object has
/// none.
const std::string &compilerIdentity();

} // namespace heddle::cache
