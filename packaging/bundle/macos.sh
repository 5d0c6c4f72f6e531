#!/usr/bin/env bash
# A disk image for macOS from the folder that build.py wrote there: packaging/bundle/macos.sh out
# Untested: no Mac was at hand when this was written. It is neither signed nor notarised, so macOS asks before it opens it.
set -euo pipefail
target=$1
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$here/../../pyproject.toml")
app=$target/image/Inspector.app/Contents
rm -rf "$target/image"
mkdir -p "$app/MacOS" "$app/Resources"
cp -R "$target/inspector" "$app/Resources/inspector"
echo app >"$app/Resources/inspector/_internal/inspector/package.txt"
cp "$target/work/inspector.icns" "$app/Resources/inspector.icns"
# Finder hands a file over by an event and not as an argument, so no file type is claimed here.
printf '#!/bin/sh\nexec "$(dirname "$0")/../Resources/inspector/inspector" "$@"\n' >"$app/MacOS/Inspector"
chmod 755 "$app/MacOS/Inspector"
cat >"$app/Info.plist" <<PLIST
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>CFBundleName</key><string>Inspector</string>
<key>CFBundleIdentifier</key><string>org.inspector.Inspector</string>
<key>CFBundleExecutable</key><string>Inspector</string>
<key>CFBundleIconFile</key><string>inspector</string>
<key>CFBundlePackageType</key><string>APPL</string>
<key>CFBundleShortVersionString</key><string>$version</string>
<key>NSHighResolutionCapable</key><true/>
<key>NSCameraUsageDescription</key><string>A station judges pictures of this camera.</string>
</dict></plist>
PLIST
codesign --force --deep --sign - "$target/image/Inspector.app"
ln -s /Applications "$target/image/Applications"
hdiutil create -volname Inspector -srcfolder "$target/image" -format UDZO -ov "$target/inspector-$version-macos.dmg"
