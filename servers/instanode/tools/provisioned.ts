import type { Provisioned } from '../service.js'
import { timestamp } from '../timestamp.js'

/** The part of the result that a database and a receiver have in common. */
export function provisionedResult({ id, token, name, tier, expiresAt, note }: Provisioned<unknown>) {
  return { id, token, name, tier, expires_at: timestamp(expiresAt), note }
}

/** The lines that lead its text. */
export function leadingLines(result: { token: string; name: string | null; tier: string }): string[] {
  const name = result.name === null ? [] : [`Name: ${result.name}`]
  return [`Token: ${result.token}`, ...name, `Tier: ${result.tier}`]
}

/** The line that tells how long it lasts, if not for good. */
export function lifetimeLine(expiresIn: string | null): string[] {
  return expiresIn === null ? [] : [`Expires in: ${expiresIn}`]
}
