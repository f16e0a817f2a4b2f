/** A Python program whose child has ended and is not waited for; it says the child's pid when that is so. */
export const ZOMBIE = `import os, time
pid = os.fork()
if pid == 0: os._exit(0)
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
print(pid, flush=True)
time.sleep(60)`;
