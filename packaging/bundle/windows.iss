; A setup for Windows, made by Inno Setup 6 from the folder that build.py wrote there:
;   python packaging\bundle\build.py out
;   iscc /DFolder=..\..\out\inspector /DVersion=0.1.0 /Oout packaging\bundle\windows.iss
; Untested: no Windows was at hand when this was written.

[Setup]
AppId={{6C0B6E0B-5E0B-4E0A-9D6F-1E6B3B8A4C51}
AppName=Inspector
AppVersion={#Version}
AppPublisher=The Inspector developers
DefaultDirName={autopf}\Inspector
DisableProgramGroupPage=yes
PrivilegesRequiredOverridesAllowed=dialog
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
ChangesAssociations=yes
ChangesEnvironment=yes
LicenseFile=..\..\LICENSE
OutputBaseFilename=inspector-{#Version}-windows-setup
Compression=lzma2/fast
SolidCompression=yes
UninstallDisplayIcon={app}\inspector.exe

[Tasks]
Name: path; Description: "The command “inspector” in every terminal"

[Files]
Source: "{#Folder}\*"; DestDir: "{app}"; Flags: ignoreversion recursesubdirs
Source: "setup.txt"; DestDir: "{app}\_internal\inspector"; DestName: "package.txt"; Flags: ignoreversion

[Icons]
Name: "{autoprograms}\Inspector"; Filename: "{app}\Inspector-window.exe"

[Registry]
Root: HKA; Subkey: "Software\Classes\.inspector"; ValueType: string; ValueData: "Inspector.Detector"; Flags: uninsdeletevalue
Root: HKA; Subkey: "Software\Classes\Inspector.Detector"; ValueType: string; ValueData: "Inspector detector"; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\Inspector.Detector\DefaultIcon"; ValueType: string; ValueData: "{app}\Inspector-window.exe,0"
Root: HKA; Subkey: "Software\Classes\Inspector.Detector\shell\open\command"; ValueType: string; ValueData: """{app}\Inspector-window.exe"" open ""%1"""
Root: HKCU; Subkey: "Environment"; ValueType: expandsz; ValueName: "Path"; ValueData: "{olddata};{app}"; Tasks: path; Check: not IsAdminInstallMode and Fresh('{app}')
Root: HKLM; Subkey: "SYSTEM\CurrentControlSet\Control\Session Manager\Environment"; ValueType: expandsz; ValueName: "Path"; ValueData: "{olddata};{app}"; Tasks: path; Check: IsAdminInstallMode and Fresh('{app}')

[Code]
{ Whether the folder isn't in the path yet. }
function Fresh(Folder: string): Boolean;
var
  Path: string;
begin
  if IsAdminInstallMode then
    RegQueryStringValue(HKLM, 'SYSTEM\CurrentControlSet\Control\Session Manager\Environment', 'Path', Path)
  else
    RegQueryStringValue(HKCU, 'Environment', 'Path', Path);
  Result := Pos(';' + ExpandConstant(Folder) + ';', ';' + Path + ';') = 0;
end;
