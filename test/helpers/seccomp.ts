/** A small program that starts another one under a seccomp filter, as container runtimes do. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** argv: what the filter does (an errno, or 0 to kill), the calls' numbers, and the program. */
const SOURCE = `
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(int argc, char** argv) {
  struct sock_filter code[64] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
  unsigned length = 1;
  int number = atoi(argv[1]);
  unsigned action = number == 0 ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | (unsigned)number;
  for (char* call = strtok(argv[2], ","); call != NULL; call = strtok(NULL, ",")) {
    code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(call), 0, 1);
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
  }
  code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {(unsigned short)length, code};
  if (argc < 4 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
    return perror("seccomp"), 125;
  execvp(argv[3], argv + 3);
  return perror(argv[3]), 126;
}
`;

/** Compiles it into the directory, and says where it is. */
export function compileSeccomp(directory: string): string {
  const source = join(directory, 'seccomp.c');
  const program = join(directory, 'seccomp');
  writeFileSync(source, SOURCE);
  execFileSync('cc', ['-Wall', '-o', program, source]);
  return program;
}

/** The number of a system call on this machine, as the C headers know it. */
export function callNumber(directory: string, name: string): string {
  const source = join(directory, 'number.c');
  writeFileSync(source, `#include <sys/syscall.h>\n${name} SYS_${name}\n`);
  const lines = execFileSync('cc', ['-E', '-P', source], { encoding: 'utf8' }).trim().split('\n');
  return /\d+$/.exec(lines.at(-1) ?? '')?.[0] ?? '';
}
