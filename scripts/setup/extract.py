"""Takes the wanted files out of a wheel: extract.py WHEEL TARGET RULES

RULES is JSON, {path in the wheel: path under TARGET}; a path ending in / stands for everything below it.
zipfile checks the size and CRC of every member it reads. Prints the bytes written so far, one number a line.
"""

import json
import os
import sys
import zipfile

BLOCK = 1 << 22
# Folders appear with their files; static libraries serve only those who link CUDA programs with nvcc.
SKIPPED = ('/', '.a', '.py')


def destination(name, rules):
    if name.endswith(SKIPPED):
        return None
    for source, target in rules.items():
        if name == source or source.endswith('/') and name.startswith(source):
            return target + name[len(source):]
    return None


def extract(wheel, target, rules):
    written = 0
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            path = destination(member.filename, rules)
            if path is None:
                continue
            path = os.path.join(target, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(member) as source, open(path, 'wb') as sink:
                while block := source.read(BLOCK):
                    sink.write(block)
                    written += len(block)
                    print(written, flush=len(block) == BLOCK)
            mode = member.external_attr >> 16
            os.chmod(path, 0o755 if mode & 0o111 else 0o644)
    print(written)


if __name__ == '__main__':
    try:
        extract(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
    except (OSError, zipfile.BadZipFile) as error:
        sys.exit(str(error))
