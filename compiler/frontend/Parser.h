// Tokens to syntax tree, by recursive descent with recovery after errors.
#pragma once
#include "compiler/frontend/AST.h"
#include "compiler/frontend/Diagnostics.h"

namespace heddle::frontend {

/// Parses a file. Always returns a module; what could not be read is reported and left out, or stands in
/// the tree as an ErrorExpr.
std::unique_ptr<ast::Module> parse(const Source &source, Diagnostics &diagnostics);

} // namespace heddle::frontend
