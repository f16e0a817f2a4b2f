/** Mappings that were forgotten: their memory goes by itself, and who asks for it is told where they were made. */

const registry = new FinalizationRegistry<string>((made) => {
  process.emitWarning(`a Mapping was never closed. ${made}`, {
    code: 'MEMPROBE_MAPPING_LEAK',
    type: 'MappingLeakWarning',
  });
});

/** Warns when `mapping` is collected, until `forget`. `made`: the function that the caller called. */
export function trace(mapping: object, what: readonly unknown[], made: (...args: never[]) => unknown): void {
  const site: { stack?: string } = {};
  Error.captureStackTrace(site, made);
  const frames = site.stack?.split('\n').slice(1).join('\n');
  registry.register(
    mapping,
    `${what.filter((word) => word !== undefined).join(' ')}, made\n${frames}`,
    mapping,
  );
}

export const forget = (mapping: object): void => void registry.unregister(mapping);
