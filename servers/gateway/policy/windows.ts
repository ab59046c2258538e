/** The windows that have names, in milliseconds. */
export const WINDOWS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

export type WindowName = keyof typeof WINDOWS

// Object.keys forgets which names they are.
export const WINDOW_NAMES = Object.keys(WINDOWS) as WindowName[]

/** `minute`, or `90 seconds`. */
export function windowName(ms: number): string {
  return WINDOW_NAMES.find(name => WINDOWS[name] === ms) ?? `${ms / 1000} seconds`
}

/** What a caller is told whose limit is reached; Intercept's shorthand has it in these words. */
export function limitReached(max: number, windowMs: number): string {
  return `Rate limit of ${max} per ${windowName(windowMs)} reached. Try again later.`
}

/** `30 a minute`. */
export function rate({ max, windowMs }: { max: number; windowMs: number }): string {
  const name = windowName(windowMs)
  return name.includes(' ') ? `${max} in ${name}` : `${max} ${name === 'hour' ? 'an' : 'a'} ${name}`
}
