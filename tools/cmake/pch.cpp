// Exists to own the precompiled header of the compiler's libraries.
