import { describe, expect, it } from '@jest/globals';
import { encodeEvent } from '../../src/evidence/encode-event.ts';
import { placeOf } from '../../src/evidence/event-place.ts';

const AT = '2026-03-01T09:30:00.000Z';
const looksLikeIt = ',"request_id":"er_other","seq":9,"task_id":null,"type":"x","v":1}';

describe('where an event stands', () => {
  it('is read from the end of its bytes, whatever its data looks like', () => {
    for (const taskId of [undefined, 'tk_1'])
      for (const data of [{}, { text: looksLikeIt }, { request_id: 'er_other', seq: 9, type: 'x' }]) {
        const event = {
          requestId: 'er_1',
          seq: 7,
          at: AT,
          type: 'task.verified',
          actor: { kind: 'lethe' },
          data,
        } as const;
        const bytes = encodeEvent({ ...event, ...(taskId !== undefined && { taskId }) });
        expect(placeOf(bytes)).toEqual({ requestId: 'er_1', seq: 7, type: 'task.verified' });
      }
  });

  it('is read of what concerns no request, also where its data names one', () => {
    for (const data of [{}, { request_id: 'er_1', after: -1, limit: 2 }, { text: looksLikeIt }]) {
      const event = {
        seq: 3,
        at: AT,
        type: 'audit.read',
        actor: { kind: 'api_key', id: 'ak_1' },
        data,
      } as const;
      expect(placeOf(encodeEvent(event))).toEqual({ requestId: null, seq: 3, type: 'audit.read' });
      expect(placeOf(encodeEvent({ ...event, keyId: 'ak_2' }))).toEqual({
        requestId: null,
        seq: 3,
        type: 'audit.read',
      });
    }
  });

  it.each(['', '{}', 'nothing', '{"seq":1,"type":"x"}', '{"seq":01,"type":"x","v":1}'])(
    'is not to be read from %j',
    (text) => {
      expect(placeOf(Buffer.from(text))).toBeUndefined();
    },
  );
});
