/**
 * How a photo gets into this page: chosen, taken, dropped or pasted; and made small enough to be sent quickly.
 *
 * What is then searched is page.js's, whether it can be decoded the API's to say.
 */

const LONGEST_SIDE = 1600; // pixels: more than any model looks at
const FEW_BYTES = 1_500_000; // a photo of so few is sent as it is, unless it is big in pixels
const QUALITY = 0.9;

/** Calls `found(file)` for each photo that a person gives, `refused(sentence)` where it is none. */
export function watchPhotos({ inputs, overlay, found, refused }) {
  const take = (transfer) => {
    const files = [...transfer.files];
    const photo = files.find((file) => file.type.startsWith("image/"));
    if (photo) found(photo);
    else if (files.length) refused(`${files[0].name} is no picture.`);
    else refused("Only a picture's file can be dropped here: save the picture first, or copy and paste it.");
  };

  for (const input of inputs) {
    input.addEventListener("change", () => {
      if (input.files.length) take(input);
      input.value = ""; // so that choosing the same file again is noticed
    });
  }

  document.addEventListener("paste", (event) => {
    if (!event.clipboardData.files.length) return; // words go into the field
    event.preventDefault();
    take(event.clipboardData);
  });

  let within = false; // a card of this page that is being dragged is nothing new to it
  document.addEventListener("dragstart", () => (within = true));
  document.addEventListener("dragend", () => (within = false));

  let depth = 0; // dragenter and dragleave come for every element that is crossed
  const show = (change) => {
    depth = Math.max(0, depth + change);
    overlay.hidden = depth === 0;
  };
  document.addEventListener("dragenter", (event) => !within && carries(event) && show(1));
  document.addEventListener("dragleave", (event) => !within && carries(event) && show(-1));
  document.addEventListener("dragover", (event) => {
    if (within || !carries(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  document.addEventListener("drop", (event) => {
    show(-depth);
    if (within || !carries(event)) return;
    event.preventDefault();
    take(event.dataTransfer);
  });
}

/** The photo as a JPEG of at most 1,600 pixels a side; as it is where it is small or this browser can't read it. */
export async function shrunk(photo) {
  let picture;
  try {
    picture = await createImageBitmap(photo, { imageOrientation: "from-image" });
  } catch {
    return photo; // HEIC in most browsers: the API says what it thinks of it
  }
  const scale = LONGEST_SIDE / Math.max(picture.width, picture.height);
  if (scale >= 1 && photo.size <= FEW_BYTES) return photo;
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * Math.min(1, scale)));
  canvas.height = Math.max(1, Math.round(picture.height * Math.min(1, scale)));
  const drawing = canvas.getContext("2d");
  drawing.fillStyle = "#fff"; // JPEG has no transparency, and shops photograph on white
  drawing.fillRect(0, 0, canvas.width, canvas.height);
  drawing.imageSmoothingQuality = "high";
  drawing.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  const smaller = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
  if (!smaller || smaller.size >= photo.size && scale >= 1) return photo;
  return new File([smaller], photo.name || "photo.jpg", { type: "image/jpeg" });
}

// Files, or a picture dragged from a page; not a piece of text on its way into the field.
function carries(event) {
  const { types } = event.dataTransfer;
  return types.includes("Files") || types.includes("text/uri-list");
}
