/** What would make a process another Node, or give it another malloc. */
const DISTURBING = /^(MALLOC_.*|GLIBC_TUNABLES|LD_PRELOAD|NODE_OPTIONS|NODE_V8_COVERAGE)$/;

/** This process's environment without that, for a process that is to be measured. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !DISTURBING.test(name)));
}
