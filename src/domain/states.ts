/**
 * The two state machines, each as one table of what may follow what. The database mirrors the names in CHECK
 * constraints; a test holds both together. Nothing else in the code decides whether a transition is allowed.
 */
export const REQUEST_TRANSITIONS = {
  received: [
    'awaiting_identity',
    'awaiting_approval',
    'cooling_off',
    'on_hold',
    'discovering',
    'needs_attention',
    'refused',
    'cancelled',
  ],
  awaiting_identity: ['awaiting_approval', 'cooling_off', 'on_hold', 'discovering', 'refused', 'cancelled'],
  awaiting_approval: ['cooling_off', 'on_hold', 'discovering', 'refused', 'cancelled'],
  cooling_off: ['on_hold', 'discovering', 'refused', 'cancelled'],
  on_hold: [
    'awaiting_identity',
    'awaiting_approval',
    'cooling_off',
    'discovering',
    'gathering',
    'erasing',
    'needs_attention',
    'refused',
    'cancelled',
  ],
  discovering: ['gathering', 'erasing', 'on_hold', 'needs_attention', 'completed', 'refused', 'cancelled'],
  gathering: ['erasing', 'on_hold', 'needs_attention', 'completed', 'refused', 'cancelled'],
  erasing: ['completed', 'on_hold', 'needs_attention', 'cancelled'],
  needs_attention: ['discovering', 'gathering', 'erasing', 'on_hold', 'completed', 'refused', 'cancelled'],
  completed: [],
  refused: [],
  cancelled: [],
} as const;

export const TASK_TRANSITIONS = {
  pending: ['submitting', 'gathered', 'failed', 'cancelled'],
  submitting: ['submitted', 'verifying', 'pending', 'failed', 'cancelled'],
  submitted: ['verifying', 'pending', 'failed', 'cancelled'],
  verifying: ['erased', 'pending', 'residue', 'failed', 'cancelled'],
  unroutable: ['cancelled'],
  residue: ['pending', 'cancelled'],
  failed: ['pending', 'cancelled'],
  gathered: [],
  erased: [],
  cancelled: [],
} as const;

export type RequestState = keyof typeof REQUEST_TRANSITIONS;
export type TaskState = keyof typeof TASK_TRANSITIONS;

/** Request states in the order a request can pass through them. */
export const REQUEST_STATES = [
  'received',
  'awaiting_identity',
  'awaiting_approval',
  'cooling_off',
  'on_hold',
  'discovering',
  'gathering',
  'erasing',
  'needs_attention',
  'completed',
  'refused',
  'cancelled',
] as const satisfies readonly RequestState[];

export const TASK_STATES = [
  'pending',
  'submitting',
  'submitted',
  'verifying',
  'gathered',
  'erased',
  'residue',
  'failed',
  'unroutable',
  'cancelled',
] as const satisfies readonly TaskState[];

/** Whether nothing follows on this state of a request. */
export function isTerminalRequestState(state: RequestState): boolean {
  return REQUEST_TRANSITIONS[state].length === 0;
}

/** Task states in which only a person can move the task on. */
export const STUCK_TASK_STATES = ['residue', 'failed', 'unroutable'] as const satisfies readonly TaskState[];

/** Whether Lethe itself still has something to do for a task in this state. */
export function isOpenTaskState(state: TaskState): boolean {
  return state === 'pending' || state === 'submitting' || state === 'submitted' || state === 'verifying';
}

/** The states from which `to` may be reached: what the guard of an UPDATE must name. */
export function taskStatesBefore(to: TaskState): readonly TaskState[] {
  return TASK_STATES.filter((from) => allows(TASK_TRANSITIONS[from], to));
}

/** As taskStatesBefore, for requests. */
export function requestStatesBefore(to: RequestState): readonly RequestState[] {
  return REQUEST_STATES.filter((from) => allows(REQUEST_TRANSITIONS[from], to));
}

function allows(targets: readonly string[], to: string): boolean {
  return targets.includes(to);
}
