import { describe, expect, it } from 'vitest';
import { EchoMeter } from '../../../load/generator/echo-meter.js';

function sent(count: number): EchoMeter {
  const meter = new EchoMeter(160);
  meter.start(1_000);
  for (let i = 0; i < count; i += 1) meter.packetSent();
  return meter;
}

describe('the echo meter', () => {
  it('takes an answer as complete when as much came back as was sent, however it is cut', () => {
    const meter = sent(4);
    expect(meter.received(100)).toBe(0);
    expect(meter.received(60)).toBe(1);
    expect(meter.received(330)).toBe(2);
    expect([meter.returned, meter.open]).toEqual([3, 1]);
    expect(meter.received(150)).toBe(1);
    expect(meter.open).toBe(0);
  });

  it('does not take for an answer what came before it was sent', () => {
    const meter = sent(1);
    expect(meter.received(5 * 160)).toBe(1);
    meter.packetSent();
    expect(meter.received(159)).toBe(0);
    expect(meter.received(1)).toBe(1);
  });

  it('counts deadlines every 20 ms from the first, whenever packets were sent', () => {
    const meter = sent(0);
    expect([0, 1, 50].map((packet) => meter.dueSlot(packet))).toEqual([1_000, 1_080, 5_000]);
  });

  it('takes packets that were held back on purpose as due when they are let go', () => {
    const meter = sent(10);
    meter.hold(3, 2_040);
    expect([9, 10, 12, 13].map((packet) => meter.dueSlot(packet))).toEqual([
      ...[1_720, 2_040, 2_040, 2_040],
    ]);
  });
});
