import { computed, signal } from '@preact/signals'

/** What of the state has been opened, by a name of its own. */
const opened = signal<ReadonlySet<string>>(new Set())

export const anyOpen = computed(() => opened.value.size > 0)

export function isOpen(name: string): boolean {
  return opened.value.has(name)
}

/** Opens what is closed, and closes what is open. */
export function toggle(name: string): void {
  const names = new Set(opened.value)
  if (!names.delete(name)) names.add(name)
  opened.value = names
}

/** What comes now may go by the same names, and nobody has asked to see it. */
export function closeAll(): void {
  if (anyOpen.value) opened.value = new Set()
}
