import { computed, signal } from '@preact/signals'

/** The names of the secrets that are shown. */
const revealed = signal<ReadonlySet<string>>(new Set())

export const anyRevealed = computed(() => revealed.value.size > 0)

export function isRevealed(name: string): boolean {
  return revealed.value.has(name)
}

/** Shows a hidden secret, or hides a shown one. */
export function toggle(name: string): void {
  const names = new Set(revealed.value)
  if (!names.delete(name)) names.add(name)
  revealed.value = names
}

/** Hides all secrets. Otherwise a later secret with the same name would be shown at once. */
export function hideAll(): void {
  if (anyRevealed.value) revealed.value = new Set()
}
