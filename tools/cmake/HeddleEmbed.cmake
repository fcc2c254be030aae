# As a script: cmake -DIN=file -DOUT=header -DNAME=variable -P HeddleEmbed.cmake writes the file as an array of bytes.
file(READ "${IN}" bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE "${OUT}" "#pragma once\n\nstatic const unsigned char ${NAME}[] = {${bytes}};\n")
