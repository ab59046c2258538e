/** An instant in RFC 3339, UTC; null stays null. */
export function timestamp(instant: number): string
export function timestamp(instant: number | null): string | null
export function timestamp(instant: number | null): string | null {
  return instant === null ? null : new Date(instant).toISOString()
}
