/** Captures, as the API shows and asks for them. */
export interface CaptureSource {
  startCapture(
    callId: string,
  ): Promise<
    | { readonly ok: true; readonly file: string; readonly startedAt: string }
    | { readonly ok: false; readonly status: number; readonly error: string }
  >;
  /** Undefined where none was under way; otherwise resolves when its file is complete. */
  stopCapture(callId: string): Promise<object | undefined>;
}

export interface CaptureReply {
  readonly status: number;
  readonly body: object;
}

/** `POST` and `DELETE /api/calls/<callId>/capture`; undefined for any other method. */
export async function captureReply(
  source: CaptureSource,
  method: string,
  callId: string,
): Promise<CaptureReply | undefined> {
  if (method === 'DELETE') {
    const stopped = await source.stopCapture(callId);
    if (stopped !== undefined) return { status: 200, body: { callId, ...stopped } };
    return { status: 404, body: { error: 'this call is not being captured', callId } };
  }
  if (method !== 'POST') return undefined;
  const answer = await source.startCapture(callId);
  if (!answer.ok) return { status: answer.status, body: { error: answer.error, callId } };
  return { status: 201, body: { callId, file: answer.file, startedAt: answer.startedAt } };
}
