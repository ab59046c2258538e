import { computed, signal } from '@preact/signals'

/** The names of the secrets that are shown. */
const opened = signal<ReadonlySet<string>>(new Set())

export const anyOpen = computed(() => opened.value.size > 0)

export function isRevealed(name: string): boolean {
  return opened.value.has(name)
}

/** Shows a hidden secret, or hides a shown one. */
export function toggle(name: string): void {
  const names = new Set(opened.value)
  if (!names.delete(name)) names.add(name)
  opened.value = names
}

/** Hides all secrets. New secrets may have the same names, and must not be shown. */
export function closeAll(): void {
  if (anyOpen.value) opened.value = new Set()
}
