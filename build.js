import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';

const ROOT = import.meta.dirname;
const OUT = path.join(ROOT, 'dist');

/** Programs, and the modules that tests start alone. Each becomes `dist/<same path>.js`. */
const ENTRIES = [
  'src/main.ts',
  'src/sandbox/main.ts',
  'src/embedded/start-embedded-postgres.ts',
  'workers/main.ts',
  'db/migrate.ts',
  'db/set-up-roles.ts',
  ...['lethe', 'lethe-verify', 'keys', 'start', 'demo', 'migrate', 'dump-schema', 'dump-openapi'].map(
    (name) => `src/cli/${name}.ts`,
  ),
];

/**
 * Bundles the programs with what they import: a process starts in half the processor time it takes Node to find and
 * read a thousand files (docs/decisions/0009). Types are not looked at; that is the business of `npm run types`.
 *
 * @param {readonly string[]} more entries for this time only, as benchmarks are
 */
export async function buildAll(more = []) {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [...ENTRIES, ...more],
    outdir: OUT,
    outbase: '.',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // pino starts pino-pretty as a file of its own in a thread; pg looks for pg-native, which nobody has.
    // pdfkit reads files that lie beside it.
    external: ['pino', 'pino-pretty', 'pg-native', 'pdfkit', '@embedded-postgres/*'],
    // Bundled CommonJS still asks for Node's own modules with require. Under a name that no module of ours has, since the
    // bundler does not look at what stands here.
    banner: {
      js: "import { createRequire as requireOfBundle } from 'node:module'; const require = requireOfBundle(import.meta.url);",
    },
    keepNames: true,
    sourcemap: true,
    sourcesContent: false,
    legalComments: 'linked',
    logLevel: 'warning',
    metafile: true,
  });
  await removeOthers(new Set(Object.keys(metafile.outputs).map((file) => path.join(ROOT, file))));
}

/** Shared parts are named by their content, so old ones would pile up. */
async function removeOthers(built) {
  const entries = await readdir(OUT, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  await Promise.all(files.filter((file) => !built.has(file)).map((file) => rm(file, { force: true })));
}

if (process.argv[1] === import.meta.filename) await buildAll(process.argv.slice(2));
