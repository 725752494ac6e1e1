import { fail, ok, warn, type ClockReading, type Finding } from './finding.ts';

const PART = 'clock';
/** Below this a difference may be the network's. */
const TOLERANCE_MS = 5_000;
/** From here on states and due dates look wrong to people, and certificates begin to be refused. */
const SERIOUS_MS = 60_000;

/**
 * Which clock is wrong, as far as that can be told: of two that differ one is wrong; of three, the one that differs
 * from the others. Clocks of this machine count only once.
 */
export function judgeClocks(readings: readonly ClockReading[]): Finding {
  if (readings.length === 0) {
    return warn(PART, 'There is no other clock to compare with.', 'Mend what is named above and look again.');
  }
  const off = readings.filter(({ offsetMs }) => Math.abs(offsetMs) > TOLERANCE_MS);
  if (off.length === 0) return ok(PART, `This machine agrees with ${namesOf(readings)} about the time.`);
  const worst = Math.max(...off.map(({ offsetMs }) => Math.abs(offsetMs)));
  const say = worst > SERIOUS_MS ? fail : warn;
  const [saw, todo] = describe(readings, off);
  return say(PART, saw, todo);
}

function describe(
  readings: readonly ClockReading[],
  off: readonly [ClockReading, ...ClockReading[]] | readonly ClockReading[],
): readonly [saw: string, todo: string] {
  const witnesses = readings.filter((reading) => !off.includes(reading) && !reading.sameMachine);
  const apart = off.map(({ whose, offsetMs }) => `${whose} is ${spanOf(offsetMs)}`).join(', ');
  if (witnesses.length > 0) {
    const saw = `A clock is wrong: ${apart} this machine, which agrees with ${namesOf(witnesses)}.`;
    return [
      saw,
      `Set the clock of ${namesOf(off)}, best with NTP. Deadlines follow the database, jobs OpenReplay.`,
    ];
  }
  if (off.length > 1 && agree(off)) {
    const saw = `The clock of this machine is wrong: ${apart} it, and they agree with each other.`;
    return [saw, 'Set the clock of this machine, best with NTP (`timedatectl set-ntp true`).'];
  }
  const saw = `A clock is wrong, and it cannot be told which: ${apart} this machine.`;
  return [
    saw,
    'Compare them with a clock that is right (https://time.is), and set the wrong one, best with NTP.',
  ];
}

function agree(readings: readonly ClockReading[]): boolean {
  const offsets = readings.map(({ offsetMs }) => offsetMs);
  return Math.max(...offsets) - Math.min(...offsets) <= TOLERANCE_MS;
}

function namesOf(readings: readonly ClockReading[]): string {
  return readings.map(({ whose }) => whose).join(' and ');
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** `2 h 5 min ahead of`: the two largest units that say something. */
function spanOf(offsetMs: number): string {
  let left = Math.round(Math.abs(offsetMs) / 1_000) * 1_000;
  const parts: string[] = [];
  for (const [name, ms] of UNITS) {
    const count = Math.floor(left / ms);
    if (count === 0) continue;
    parts.push(`${count} ${name}`);
    left -= count * ms;
  }
  return `${parts.slice(0, 2).join(' ')} ${offsetMs > 0 ? 'ahead of' : 'behind'}`;
}
