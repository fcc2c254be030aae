#!/usr/bin/env python3
"""Compiles functions for x86-64-v2 and looks for instructions that such a processor lacks.

The same check on code for x86-64-v3 must find them, so that it cannot pass by looking at the wrong thing.

    instructions.py --heddle build/release/bin/heddle --objdump llvm-objdump
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent

# What covers each kind of kernel: file beside this one, function, dimensions.
FUNCTIONS = [
    ("rows.heddle", "norms", "M=7,N=33"),
    ("attention.heddle", "slopes", "B=1,Hq=4,H=2,N=77,E=16,V=24,K=9,W=5"),
    ("processors.heddle", "functions", "M=5,N=67"),
    ("processors.heddle", "narrow", "N=257"),
    ("processors.heddle", "products", "M=33,N=50,K=65"),
    ("processors.heddle", "integers", "M=6,N=41"),
]

# AVX and later: every mnemonic of the VEX and EVEX encodings starts with v or, for masks, k; and BMI, LZCNT, MOVBE.
NEWER = re.compile(r"^(v(?!err|erw)\w+|k(add|and|mov|not|or|shift|test|unpck|xn?or)\w*|andn|bextr|bls\w+|bzhi|mulx|pdep|pext|rorx"
                   r"|sarx|shlx|shrx|lzcnt|tzcnt|movbe)[bwlq]?$")


def mnemonics(objdump, path):
    """The instructions of an object file, with the functions they stand in."""
    text = subprocess.run([objdump, "-d", "--no-show-raw-insn", str(path)], capture_output=True, text=True, check=True).stdout
    function = None
    for line in text.splitlines():
        if header := re.match(r"[0-9a-f]+ <(.*)>:", line):
            function = header[1]
        elif instruction := re.match(r"\s*[0-9a-f]+:\s+(\S+)(?:\s+(\S+))?", line):
            prefixed = instruction[1] in ("lock", "rep", "repne", "data16") and instruction[2]
            yield function, instruction[2] if prefixed else instruction[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heddle", required=True)
    parser.add_argument("--objdump", required=True)
    options = parser.parse_args()
    failures, newer_in_v3 = [], 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "code.o"
        for file, entry, dims in FUNCTIONS:
            for level in ("v2", "v3"):
                command = [options.heddle, "compile", str(HERE / file), entry, "--dim", dims, "--emit", "obj",
                           "--cpu", f"x86-64-{level}", "-o", str(path)]
                result = subprocess.run(command, capture_output=True, text=True)
                if result.returncode != 0:
                    failures.append(f"{file} {entry}: exit status {result.returncode}:\n{result.stderr}")
                    break
                found = sorted({f"{name} in {function}" for function, name in mnemonics(options.objdump, path) if NEWER.match(name)})
                if level == "v3":
                    newer_in_v3 += bool(found)
                elif found:
                    failures.append(f"{file} {entry}: code for x86-64-v2 holds {', '.join(found[:8])}")
    if newer_in_v3 == 0:
        failures.append("no newer instruction in any code for x86-64-v3: the check does not see them")
    for failure in failures:
        print(failure)
    print(f"{len(FUNCTIONS) - len(failures)} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
