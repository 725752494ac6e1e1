import type { Intake } from './app/ports/intake.ts';
import type { Config, SourceConfig } from './config.ts';
import { createSource, type SourceOptions } from './intake/create-source.ts';

/** The configured systems that deliver tickets. */
export function openIntake({ intake }: Pick<Config, 'intake'>): Intake {
  const { maxBodyBytes, keepUnmappableMs, sources } = intake;
  return {
    maxBodyBytes,
    keepUnmappableMs,
    sources: new Map(sources.map((source) => [source.name, createSource(sourceOptions(source))])),
  };
}

/** A configured source as src/intake takes it: with a header exactly where the kind has its secret in one. */
export function sourceOptions({ kind, header = '', ...rest }: SourceConfig): SourceOptions {
  return kind === 'jira-automation' || kind === 'shared-secret'
    ? { ...rest, kind, header }
    : { ...rest, kind };
}
