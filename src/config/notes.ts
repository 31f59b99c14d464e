import { z } from 'zod';

/** What is told of a setting in help texts, in the README and by `check`. */
export interface SettingNotes {
  readonly description: string;
  /** Environment variable. */
  readonly env?: string;
  readonly flag?: string;
  /** In place of the default as it would stand in the file. */
  readonly defaultText?: string;
  /** What was found is never printed. */
  readonly hidden?: true;
  /** The value leads elsewhere: from outside the file it is relative to the working directory. */
  readonly leads?: true;
}

export const notesOf = z.registry<SettingNotes>();

export function noted<S extends z.ZodType>(kind: S, notes: SettingNotes): S {
  notesOf.add(kind, notes);
  return kind;
}

export function setting<S extends z.ZodType>(kind: S, value: z.input<S>, notes: SettingNotes) {
  return noted(kind.prefault(value), notes);
}

export function optional<S extends z.ZodType>(kind: S, notes: SettingNotes) {
  return noted(kind.optional(), notes);
}

export function section<T extends z.core.$ZodLooseShape>(shape: T) {
  return z.strictObject(shape, { error: 'settings, each with a name' });
}
