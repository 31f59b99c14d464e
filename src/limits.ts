import assert from 'node:assert/strict';

/** Every bound of the gateway, with its unit, in one place. What users may change is in `config/`. */

/** Plivo's largest WebSocket message (protocol reference, section 3.1). Above it we close with 1009. */
export const messageBytesMax = 64 * 1024;
/** What uWebSockets.js lets through: above it the socket drops without a close frame, so it sits higher. */
export const payloadBytesMax = 128 * 1024;
/** A `playAudio` payload stays within Plivo's recommendation of 16 KB of base64 (section 3.1). */
export const playPayloadBytesMax = 12_288;

/** Plivo's packet length, and ours. */
export const ptimeMs = 20;
/** One timer per shard: pacing, deadlines, idle checks. */
export const tickMs = 5;
/** Sessions take turns over this many ticks, so that thousands do not send in one burst. */
export const tickPhases = 4;

/** A socket that sends no `start` this long is closed with 1008 (section 10, row 24). */
export const startTimeoutMs = 10_000;
/** How long after a hang-up we wait for Plivo to close the socket before we do. */
export const closeAfterHangupMs = 5_000;
/** How long after a hang-up was due we close the socket although Plivo has not confirmed it. */
export const closeUnsettledMs = 10_000;
/** How long `end()` waits for the last `playedStream` beyond the audio that is still to be played. */
export const lastWordGraceMs = 2_000;
/** A pause in outgoing audio up to this long is made up for at once; a longer one starts a new clock. */
export const playoutCatchUpMs = 400;
/** A call in which one side was silent so long is one-way. */
export const oneWaySilenceMs = 10_000;
/** How long a transfer may take before the application is told that it failed. */
export const transferTimeoutMs = 15_000;
/** How long one may wait for its place within the account's rate. */
export const transferWaitMs = 5_000;
/** Checkpoints waiting for `playedStream`, per call. */
export const checkpointsPendingMax = 64;
export const checkpointNameBytesMax = 128;
/** Digits in one `sendDTMF`. */
export const dtmfDigitsMax = 64;

/** The front pings each socket so often; the pong travels behind the audio. */
export const pingIntervalMs = 5_000;
/** A socket whose pong is older than this does not read. */
export const pongLateMs = 2_000;
/** A socket with no traffic at all for this long is gone; it is pinged before. */
export const socketIdleSeconds = 60;
/** Audio is dropped while a socket is blocked, and the socket closed after this long, or above so many bytes. */
export const slowReaderMs = 10_000;
export const bufferedBytesMax = 1024 * 1024;

/** A shard that is not ready in this time does not start. */
export const shardReadyTimeoutMs = 5_000;
/** Old-generation heap of one worker, MB: beyond it the thread ends and is replaced. */
export const workerHeapMbMax = 1_024;
export const restartDelayMsMax = 30_000;
/** A shard whose heap fills this share of it is replaced before it dies of it. */
export const workerHeapShareMax = 0.8;
/** Calls whose shard died wait so long for one to take its place. */
export const orphanMs = 3_000;
/** Control messages of one such call that wait with it. */
export const orphanMessagesMax = 64;
/** A shard that dies again within this time dies in a row; at the third time its calls end. */
export const deathsInRowMs = 10_000;
export const deathsInRowMax = 3;
/** Shards that start at the same time: each designs its filters first. */
export const startingMax = 4;
/** Backstop for a lost doorbell in the front. */
export const egressLookMs = 100;

/** Records handled in one go before the thread looks at its timers again. */
export const recordsPerBatchMax = 4_096;
/** And before what they led to is sent. */
export const recordsPerFlush = 256;

/** Calls that a shard reserves memory for. */
export const callsPerShardMax = 20_000;

/** Half a second of the densest stream (L16 16 kHz and its JSON), per call: what a ring must hold. */
const ringBytesPerCall = 25_000 / 2;
const ringBytesMin = 64 * messageBytesMax;

/** Bytes of one ring for a shard that takes this many calls: a power of two. */
export function ringBytesFor(callsPerShard: number): number {
  let bytes = ringBytesMin;
  while (bytes < callsPerShard * ringBytesPerCall) bytes *= 2;
  return bytes;
}

/** Part of a ring that only control messages may use. */
export const ringReserve = 1 / 8;

assert(ringBytesMin >= 64 * messageBytesMax, 'a ring must hold a burst of the largest messages');
assert(payloadBytesMax > messageBytesMax, 'our own 1009 must come before the silent drop');
assert(
  transferWaitMs + 5_000 < transferTimeoutMs,
  'a transfer must be settled before it is given up',
);
assert(ptimeMs % tickMs === 0, 'a frame must be due on a tick');

/** Sample rates of audio inside (design D9), Hz. */
export const audioRates = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000] as const;
export type AudioRate = (typeof audioRates)[number];

export function isAudioRate(rate: number): rate is AudioRate {
  return (audioRates as readonly number[]).includes(rate);
}

/** Plivo's REST limit per account, and a little more than its span (protocol reference, section 5.3). */
export const restRequestsMax = 300;
export const restWindowMs = 5_100;
export const restConnections = 16;
export const restTimeoutMs = 5_000;
/** Intents waiting; more are refused. */
export const hangupPendingMax = 200_000;
/** Failed intents that are kept for an operator; the oldest goes first. */
export const hangupFailedMax = 10_000;
/** Pauses between the attempts for one intent: any length up to the growing bound (full jitter). */
export const retryDelayMsMin = 500;
export const retryDelayMsMax = 15_000;
/** After so many failures in a row the API itself is in trouble: one probe at a time, in growing pauses up to this. */
export const apiTroubleFailures = 4;
export const apiTroublePauseMsMax = 5_000;
/** An account whose credentials are refused is asked with one intent so often. */
export const authProbeMs = 30_000;
/** A pause that Plivo asks for is honoured up to this. */
export const retryAfterMsMax = 60_000;
/** The brake on lost streams: the network broke, and not the calls, if so many are lost in one grace period. */
export const lostStreamsMin = 10;
export const lostStreamsShare = 0.2;
/** What is left of hang-ups at the end of a drain gets so long. */
export const hangupDrainMs = 15_000;
/** Calls that are handed to another node at the same time: within Plivo's rate each waits a second or two. */
export const handoversAtOnce = 100;
/** After the deadline of a drain the calls still live are ended gracefully, in so long at the most. */
export const drainEndMs = 10_000;

/** What an upstream may send in one message; a longer one is dropped, one above the second bound ends its connection. */
export const upstreamMessageBytesMax = 1024 * 1024;
export const upstreamPayloadBytesMax = 16 * 1024 * 1024;
/** An upstream that has said something, or stayed so long, has taken the call; before, it refused it. */
export const upstreamProvenMs = 1_000;
/** One that breaks off sooner than this has failed too, and the call goes elsewhere first. */
export const upstreamBriefMs = 5_000;
/** It is pinged so often; with a pong older than this it does not read, and after this long it is lost. */
export const upstreamPingMs = 2_000;
export const upstreamPongLateMs = 1_000;
export const upstreamBlockedMs = 10_000;
/** A second of audio waits for an upstream that does not read. */
export const upstreamQueueFrames = 50;
/** And so many other messages. */
export const upstreamQueueControls = 100;
/** An upstream that does not answer our close in this time is cut. */
export const upstreamCloseMs = 2_000;
/**
 * With more than this queued for the caller nothing is read from an upstream, until half of it is left; less where calls
 * queue less: a message that came just before has to find room.
 */
export const upstreamAheadMsMax = 20_000;
export const upstreamAheadShare = 0.4;
/** The same where it speaks Plivo's protocol itself: below the 40 s that Plivo queues (protocol reference, section 3.1). */
export const relayAheadMsMax = 30_000;
/** Reconnects of one call, unless one of them held for so long. */
export const upstreamReconnectsMax = 5;
export const upstreamSteadyMs = 60_000;
/** Where no address can be had for a call that lost its own, all are tried again after so long. */
export const upstreamRetryMs = 250;
/** Messages of an upstream that mean nothing, in one call: with more it is lost. */
export const upstreamBadMessagesMax = 20;
/** Addresses of all upstreams together, those that a name resolves to included. */
export const upstreamAddressesMax = 1_024;
/** Names are resolved, and addresses checked, so often. */
export const upstreamWatchMs = 5_000;
export const resolveTimeoutMs = 3_000;
/** A health check that takes longer has failed; so many in a row, and the address is unhealthy. */
export const healthTimeoutMs = 2_000;
export const healthFailuresMax = 2;
/** How long a lookup service may take, and how much it may answer. */
export const lookupTimeoutMs = 1_000;
export const lookupBytesMax = 64 * 1024;
/** How long the address that it names is tried. */
export const loneConnectMs = 3_000;
/** How long the shards may take to load new routes. */
export const adoptTimeoutMs = 10_000;

/** How long a stream token may wait for its first stream, and how long a place is kept for it. */
export const tokenLifeMs = 60_000;
export const tokenReservationMs = 10_000;
export const reservationLookMs = 500;
/** Ended calls that are remembered, so that their tokens are worth nothing. */
export const tokenEndedMax = 100_000;
/** An address that failed to come in so often in so long gets only the cheapest look, until the time is over. */
export const failedUpgradesMax = 20;
export const failedUpgradesMs = 10_000;
/** Addresses that this is known of. */
export const failedAddressesMax = 10_000;
/** How long an answer service may take: Plivo itself waits 15 s (protocol reference, section 7.5). */
export const forwardTimeoutMs = 8_000;
/** Plivo takes no longer answer (section 4.1). */
export const answerBytesMax = 100 * 1024;

/** A capture of one call: bytes of its file, its length, and what may wait to be written. */
export const captureBytesMax = 64 * 1024 * 1024;
export const captureMsMax = 10 * 60_000;
export const captureBufferedBytesMax = 4 * 1024 * 1024;
/** Captures at the same time, and bytes of all files in their folder. */
export const capturesMax = 4;
export const captureFolderBytesMax = 2 ** 30;

/** Ended calls whose stories the API can show. */
export const callHistoryMax = 10_000;
/** How long a call's record waits for its hang-up to be settled, and for Plivo to say why the call ended. */
export const recordHangupWaitMs = 10_000;
export const recordCauseWaitMs = 3_000;
export const recordLookMs = 500;
/** Records that wait for the disk. */
export const recordFileLinesMax = 10_000;
/** Records that wait for the webhook, requests under way, and how long each may take. */
export const recordWebhookWaitingMax = 1_000;
export const recordWebhookConnections = 8;
export const recordTimeoutMs = 5_000;
/** A record is tried so often, with pauses that double: given up after some six minutes. */
export const recordAttemptsMax = 12;
export const recordRetryMsMin = 1_000;
export const recordRetryMsMax = 60_000;
/** What a gateway that ends gives its records. */
export const recordsCloseMs = 5_000;
