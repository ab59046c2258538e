/** The two stand-ins, in the order they are started. */
export const SERVER_NAMES = ['instanode', 'safebot'] as const

export type ServerName = (typeof SERVER_NAMES)[number]
