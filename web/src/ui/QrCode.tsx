// A picture for the camera of an authenticator, drawn here: what it holds goes nowhere else.
import qrcode from "qrcode-generator";

/** Quiet modules around the code, as its standard asks for. */
const QUIET = 4;

export function QrCode({ text, label }: { text: string; label: string }) {
  const code = qrcode(0, "M");
  code.addData(text);
  code.make();
  const size = code.getModuleCount();
  const dark: string[] = [];
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      if (code.isDark(row, column)) dark.push(`M${column + QUIET} ${row + QUIET}h1v1h-1z`);
    }
  }
  const all = size + 2 * QUIET;
  return (
    <svg viewBox={`0 0 ${all} ${all}`} width={200} height={200} role="img" aria-label={label} shapeRendering="crispEdges">
      <rect width={all} height={all} fill="#fff" />
      <path d={dark.join("")} fill="#000" />
    </svg>
  );
}
