"""Runs a command in a terminal of 60 columns: terminal.py SIGNAL COMMAND ...

Once the program prints "ready" it gets SIGNAL: INT as Ctrl-C typed in the terminal, TERM by kill, or none. What it wrote
goes to stdout, as "exit N" or "signal N" in the last line how it ended.
"""

import fcntl
import os
import pty
import signal
import struct
import sys
import termios

pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 60, 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
written = b''
wanted = sys.argv[1]
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    written += data
    if b'ready' in written and wanted == 'INT':
        os.write(terminal, b'\x03')
        wanted = 'none'
    elif b'ready' in written and wanted != 'none':
        os.kill(pid, signal.Signals['SIG' + wanted])
        wanted = 'none'
_, status = os.waitpid(pid, 0)
ending = f'exit {os.WEXITSTATUS(status)}' if os.WIFEXITED(status) else f'signal {os.WTERMSIG(status)}'
sys.stdout.buffer.write(written + f'\n{ending}'.encode())
