import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import Holidays from 'date-holidays';

import type { Config } from '../../src/config.ts';
import { ConfigError, loadConfig } from '../../src/config.ts';
import { HOLIDAY_REGIONS } from '../../src/config/holiday-regions.ts';

const CONNECTION = `connections:\n  - { name: default, url: 'https://or.example/v2', apiKey: k }\n`;

let cwd = '';
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'lethe-config-calendar-'));
});
afterAll(() => {
  rmSync(cwd, { recursive: true });
});

function load(calendar: string, env: NodeJS.ProcessEnv = {}): Config['calendars'] {
  writeFileSync(join(cwd, 'lethe.yaml'), `${CONNECTION}calendar: ${calendar}\n`);
  return loadConfig(env, { cwd }).calendars;
}

/** `path|expected` of each problem. */
function problemsOf(calendar: string, env?: NodeJS.ProcessEnv): string[] {
  try {
    load(calendar, env);
  } catch (error) {
    if (error instanceof ConfigError)
      return error.problems.map(({ path, expected }) => `${path}|${expected}`);
    throw error;
  }
  throw new Error('expected a ConfigError');
}

describe('the calendar section', () => {
  it('gives the GDPR the country that is set, and the other laws their own', () => {
    expect(load('{ timeZone: Europe/Berlin, country: DE, subdivision: BY-A }')).toEqual({
      gdpr: { timeZone: 'Europe/Berlin', country: 'DE', subdivision: 'BY-A' },
      uk_gdpr: { timeZone: 'Europe/Berlin', country: 'GB', subdivision: 'ENG' },
      ccpa: { timeZone: 'Europe/Berlin', country: 'US', subdivision: 'CA' },
    });
  });

  it('lets a regulation say its own, field by field', () => {
    const calendars = load(`
  timeZone: Europe/Paris
  country: FR
  subdivision: '57'
  regulations:
    gdpr: { timeZone: Europe/Rome }
    uk_gdpr: { subdivision: SCT }
    ccpa: { timeZone: America/Los_Angeles, subdivision: NY }`);
    expect(calendars).toEqual({
      gdpr: { timeZone: 'Europe/Rome', country: 'FR', subdivision: '57' },
      uk_gdpr: { timeZone: 'Europe/Paris', country: 'GB', subdivision: 'SCT' },
      ccpa: { timeZone: 'America/Los_Angeles', country: 'US', subdivision: 'NY' },
    });
  });

  it('drops the subdivision of another country', () => {
    const yaml =
      '{ country: DE, subdivision: BE, regulations: { gdpr: { country: AT }, ccpa: { country: US } } }';
    const { gdpr, ccpa } = load(yaml);
    expect([gdpr.country, gdpr.subdivision]).toEqual(['AT', undefined]);
    expect([ccpa.country, ccpa.subdivision]).toEqual(['US', undefined]);
  });

  it('takes the country of a subdivision from the environment too', () => {
    expect(load('{ subdivision: BE }', { LETHE_COUNTRY: 'DE' }).gdpr).toEqual({
      timeZone: 'UTC',
      country: 'DE',
      subdivision: 'BE',
    });
    expect(problemsOf('{ subdivision: BE }', { LETHE_COUNTRY: 'AE' })).toEqual([
      'calendar.subdivision|no subdivision: AE has none',
    ]);
  });

  it.each(['Europe/Berlin', 'UTC', 'America/Argentina/Buenos_Aires'])(
    'takes the time zone %s',
    (timeZone) => {
      expect(load(`{ timeZone: ${timeZone} }`).gdpr.timeZone).toBe(timeZone);
    },
  );

  it.each(['Europe/Nowhere', '"+01:00"', '""', '1', 'Berlin'])('refuses the time zone %s', (timeZone) => {
    expect(problemsOf(`{ timeZone: ${timeZone} }`)).toEqual([
      'calendar.timeZone|an IANA time zone such as Europe/Berlin',
    ]);
  });

  it.each(['XX', 'de', 'Germany', 'constructor', '49'])('refuses the country %s', (country) => {
    expect(problemsOf(`{ country: ${country} }`)).toEqual([
      'calendar.country|a country of ISO 3166-1 whose holidays are known, in capitals, such as DE',
    ]);
  });

  it('names a subdivision that the country does not have, and what it has', () => {
    expect(problemsOf('{ country: GB, subdivision: BE }')).toEqual([
      "calendar.subdivision|one of GB's: ALD, ENG, NIR, SCT, WLS",
    ]);
    expect(problemsOf('{ subdivision: BE }')).toEqual(['calendar.subdivision|a country beside it']);
    expect(problemsOf('{ regulations: { uk_gdpr: { subdivision: BY } } }')).toEqual([
      "calendar.regulations.uk_gdpr.subdivision|one of GB's: ALD, ENG, NIR, SCT, WLS",
    ]);
    expect(problemsOf('{ country: FR, subdivision: 57 }')).toEqual([
      'calendar.subdivision|a subdivision such as BY, or BY-A with a region (in quotes when only digits)',
    ]);
  });

  it('reports all mistakes at once', () => {
    const yaml =
      '{ timeZone: X, country: DE, subdivision: XX, regulations: { ccpa: { country: XX, zone: Y } } }';
    expect(problemsOf(yaml).map((problem) => problem.split('|')[0])).toEqual([
      'calendar.timeZone',
      'calendar.regulations.ccpa.country',
      'calendar.regulations.ccpa.zone',
      'calendar.subdivision',
    ]);
  });
});

it('the countries and subdivisions are those of date-holidays', () => {
  const library = new Holidays();
  const codes = (found: Record<string, string> | undefined): string[] => Object.keys(found ?? {}).sort();
  const known = codes(library.getCountries()).map((country) => {
    const subdivisions = codes(library.getStates(country)).flatMap((state) => [
      state,
      ...codes(library.getRegions(country, state)).map((region) => `${state}-${region}`),
    ]);
    return [country, subdivisions.join(' ')];
  });
  expect(HOLIDAY_REGIONS).toEqual(Object.fromEntries(known));
});
