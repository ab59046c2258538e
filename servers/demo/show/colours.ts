import { styleText } from 'node:util'

/** How text may be set off where it is read on a terminal. */
export type Colour = 'bold' | 'dim' | 'green' | 'red' | 'cyan'

/** Puts text in a colour, or leaves it as it is. */
export type Paint = (colour: Colour, text: string) => string

/** @param output colours are for terminals, and for readers who have not declined them (https://no-color.org) */
export function paintFor(output: { isTTY?: boolean }, env: NodeJS.ProcessEnv): Paint {
  const coloured = output.isTTY === true && (env.NO_COLOR ?? '') === ''
  return coloured
    ? (colour, text) => styleText(colour, text, { validateStream: false })
    : (_colour, text) => text
}
