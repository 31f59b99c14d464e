import { DOMParser, type Element } from '@xmldom/xmldom';
import { errorText } from '../../src/errors.js';
import type { SignedMethod } from '../../src/plivo/signature.js';
import {
  type AnswerReport,
  isWebUrl,
  readStreamElement,
  type StreamElement,
} from './stream-element.js';
import { documentBytesMax, type WebhookAnswer } from './webhook-sender.js';

/** One element of an answer, in its order. */
export type AnswerElement =
  | { readonly kind: 'stream'; readonly name: 'Stream'; readonly stream: StreamElement }
  /** `url` is undefined if it holds none. */
  | {
      readonly kind: 'redirect';
      readonly name: 'Redirect';
      readonly url: string | undefined;
      readonly method: SignedMethod;
    }
  | { readonly kind: 'hangup'; readonly name: 'Hangup'; readonly reason: string | undefined }
  /** The caller is connected with somebody else: nothing more is known of the call. */
  | { readonly kind: 'dial'; readonly name: 'Dial' }
  /** Passed over. */
  | { readonly kind: 'other'; readonly name: string };

/** What Plivo does, and a simulation of streams has no use for. */
const passedOver = [
  ...['Speak', 'Play', 'Wait', 'PreAnswer', 'GetInput', 'GetDigits', 'Record', 'DTMF', 'Message'],
  ...['Conference', 'MultiPartyCall'],
];
const mediaTypes = ['application/xml', 'text/xml'];

/**
 * The elements of the document that a webhook was answered with (protocol section 4.1), and a report of what Plivo would
 * not take. Undefined if there is nothing in it to go by.
 */
export function readAnswer(
  { status, contentType, body }: WebhookAnswer,
  report: AnswerReport,
): readonly AnswerElement[] | undefined {
  if (status !== 200) return undefined;
  const mediaType = contentType.split(';', 1)[0]!.trim().toLowerCase();
  if (!mediaTypes.includes(mediaType)) {
    const detail = `the answer is of type "${mediaType}", not one of ${mediaTypes.join(', ')}`;
    report.violation('answer-content-type-wrong', detail);
  }
  if (body.byteLength > documentBytesMax) {
    report.violation('answer-too-large', `the answer is above ${documentBytesMax} bytes`);
    return undefined;
  }
  let root: Element;
  try {
    root = parseXml(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    const detail = `the answer is not well-formed XML: ${errorText(error)}`;
    report.violation('answer-not-well-formed', detail);
    return undefined;
  }
  if (root.tagName !== 'Response') {
    const detail = `the answer's root is <${root.tagName}>, not <Response>`;
    report.violation('answer-root-wrong', detail);
    return undefined;
  }
  const elements = [...root.childNodes].filter(isElement);
  if (elements.length === 0) report.violation('answer-empty', 'the answer is an empty <Response>');
  return elements.map((element) => readElement(element, report));
}

/** The root element. Throws an `Error` with the parser's words for what is not well-formed, warnings included. */
export function parseXml(text: string): Element {
  // The parser wraps what its callback throws in words of its own.
  let complaint: string | undefined;
  const parser = new DOMParser({
    onError: (_level, message) => {
      complaint = message;
      throw new Error(message);
    },
  });
  try {
    return parser.parseFromString(text, 'text/xml').documentElement!;
  } catch (error) {
    throw new Error(complaint ?? errorText(error));
  }
}

export function attributesOf(element: Element): ReadonlyMap<string, string> {
  return new Map([...element.attributes].map(({ name, value }) => [name, value]));
}

function readElement(element: Element, report: AnswerReport): AnswerElement {
  const { tagName: name } = element;
  const attributes = attributesOf(element);
  const text = (element.textContent ?? '').trim();
  switch (name) {
    case 'Stream':
      return { kind: 'stream', name, stream: readStreamElement(text, attributes, report) };
    case 'Redirect': {
      const url = isWebUrl(text) ? text : undefined;
      if (url === undefined) {
        report.violation('xml-redirect-url-wrong', '<Redirect> holds no http or https URL');
      }
      const method = attributes.get('method') === 'GET' ? 'GET' : 'POST';
      return { kind: 'redirect', name, url, method };
    }
    case 'Hangup':
      return { kind: 'hangup', name, reason: attributes.get('reason') };
    case 'Dial':
      return { kind: 'dial', name };
    default:
      if (!passedOver.includes(name)) {
        report.violation('xml-element-unknown', `Plivo knows no <${name}>`);
      }
      return { kind: 'other', name };
  }
}

function isElement(node: unknown): node is Element {
  return (node as { nodeType?: number }).nodeType === 1;
}
