// Puts a built addon for this machine's platform into prebuilds/, where a user's install finds it without a compiler.
// `npm pack` runs it. libstdc++ is linked in: the user's may be older than the build's.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import console from 'node:console';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const env = { ...process.env, MEMPROBE_STATIC: '1' };
const { status } = spawnSync('npm', ['run', 'build:native'], { env, stdio: 'inherit' });
if (status !== 0) process.exit(1);
const folder = join('prebuilds', `${process.platform}-${process.arch}`);
mkdirSync(folder, { recursive: true });
copyFileSync('build/Release/memprobe.node', join(folder, 'memprobe.napi.glibc.node'));
for (const name of ['memprobe_numa.so', 'memprobe_mcheck.so', 'memprobe_mtrace.so']) {
  const built = join('build/Release', name);
  if (!existsSync(built)) {
    console.error(
      `${built} was not built, and a package must not lack it: install libnuma-dev, and try again`,
    );
    process.exit(1);
  }
  copyFileSync(built, join(folder, name));
}
rmSync('build/native.stamp', { force: true }); // the working build is the dynamic one again next time
