/** Unicode's White_Space, as the service trims; `String.trim` differs on U+0085 and U+FEFF. */
const OUTER_SPACE = /^\p{White_Space}+|\p{White_Space}+$/gu

export function trimSpace(text: string): string {
  return text.replace(OUTER_SPACE, '')
}
