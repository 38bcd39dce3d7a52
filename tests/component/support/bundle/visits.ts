// SPDX-License-Identifier: Apache-2.0

interface Visit {
  patient: number;
  note: string[];
}

const kept: Visit[] = [];

// What memory goes into.
export function keepVisit(patient: number): number {
  for (let i = 0; i < 50; i++) {
    kept.push({ patient, note: Array.from({ length: 20 }, (_, word) => `word ${word} of ${i}`) });
  }
  return kept.length;
}

// What the loop stands still for. What calls itself, the engine does not merge into its caller.
export function blockLoop(milliseconds: number): void {
  if (milliseconds > 40) {
    blockLoop(milliseconds / 2);
    blockLoop(milliseconds / 2);
    return;
  }
  const end: number = Date.now() + milliseconds;
  while (Date.now() < end) {
    // There is nothing else to do.
  }
}

// Called with what it finds only.
export function mergeVisits(patient: number): Visit[] {
  const found: Visit[] = kept.filter((visit) => visit.patient === patient);
  if (patient < 0) {
    found.reverse();
    found.length = 0;
  }
  return found;
}
