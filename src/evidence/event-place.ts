/** Where an event says that it stands. */
export interface EventPlace {
  /** Null for an event of what concerns no request. */
  readonly requestId: string | null;
  readonly seq: number;
  readonly type: string;
}

/**
 * How the bytes of an event end: names of fields are sorted, so that these come last, and none of their values has room for a
 * quote. What stands in `data` comes before and cannot look like it.
 */
const TAIL_OF_REQUEST =
  /,"request_id":"([^"\\]+)","seq":(0|[1-9]\d{0,9}),"task_id":(?:null|"[^"\\]*"),"type":"([^"\\]+)","v":\d+\}$/;
/** In a request's event something stands between `seq` and `type`. */
const TAIL = /[,}]"seq":(0|[1-9]\d{0,9}),"type":"([^"\\]+)","v":\d+\}$/;
/** More than any tail has. */
const TAIL_BYTES = 400;

/**
 * Reads where an event stands from its bytes, without parsing all of them; `undefined` when they are not an event's.
 */
export function placeOf(bytes: Uint8Array): EventPlace | undefined {
  const tail = bytes.subarray(-TAIL_BYTES);
  const text = Buffer.from(tail.buffer, tail.byteOffset, tail.length).toString('latin1');
  const [, requestId, seq, type] = TAIL_OF_REQUEST.exec(text) ?? [];
  if (requestId !== undefined && type !== undefined) return { requestId, seq: Number(seq), type };
  const [, adminSeq, adminType] = TAIL.exec(text) ?? [];
  if (adminType === undefined) return undefined;
  return { requestId: null, seq: Number(adminSeq), type: adminType };
}
