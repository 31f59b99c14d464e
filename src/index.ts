/** The package's public surface. */
export { type Call, defineHandler, type EndReason, type Handler, type Track } from './handler.js';
