import { attributesOf, parseXml } from '../round/answer-document.js';
import { readStreamElement, type StreamElement } from '../round/stream-element.js';

/** The `<Stream>` of an answer. Throws an `Error` of few words if there is none to connect to. */
export function readAnswerXml(xml: string): StreamElement {
  const element = rootOf(xml).getElementsByTagName('Stream').item(0);
  if (element === null) throw new Error('answer webhook: its XML has no <Stream>');
  const stream = readStreamElement(element.textContent ?? '', attributesOf(element), unheard);
  if (stream.isDialable) return stream;
  throw new Error('answer webhook: its <Stream> holds no ws or wss URL');
}

/** Under load, answers are counted and not judged. */
const unheard = { violation: () => {}, note: () => {} };

function rootOf(xml: string) {
  try {
    return parseXml(xml);
  } catch {
    throw new Error('answer webhook: it is not well-formed XML');
  }
}
