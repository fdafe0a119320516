"""What a portal of Kofa 1.9 leaves: the folder of its data center, and its exports."""

import os
from base64 import urlsafe_b64encode
from hashlib import sha1

#: Files of a data center, each with its lines.
STORAGE = {
    "scores_mgr.csv": ("student_id,level,code,score", "K1000000,100,CSC101,70"),
    "names_mgr.update.pending.csv": (
        "student_id,firstname,--ERRORS--",
        "K1000001,Ben,Cannot update: no such entry",
    ),
    "unfinished/names_mgr.csv": ("student_id,firstname", "K1000000,Ann", "K1000001,Ben"),
    "finished/names_mgr.update.finished.csv": ("student_id,firstname", "K1000000,Ann"),
    "finished/faculties_mgr.create.finished.csv": ("code,title", "SCI,Science"),
    "finished/faculties_mgr.csv": ("code,title", "SCI,Science"),
    "deleted/students.csv": (
        "student_id,firstname,lastname,sex,password,state,del_date",
        "K1000009,Old,Boy,m,,returning,2015-03-01 10:00:00+00:00",
    ),
    "logs/datacenter.log": (
        (
            "2015-03-01 10:00:00,123 - INFO - mgr - processed: "
            "/home/kofa/waeup.kofa/var/datacenter/faculties_mgr.csv, create mode, "
            "1 lines (1 successful/ 0 failed), 0.012 s (0.0120 s/item)"
        ),
    ),
    "logs/datacenter.log.1": (
        (
            "2015-02-01 10:00:00,123 - INFO - mgr - browser.pages.DatacenterUploadPage - "
            "uploaded: /home/kofa/waeup.kofa/var/datacenter/faculties_mgr.csv"
        ),
    ),
    "logs/main.log": (
        (
            "2015-03-01 10:00:00,123 - INFO - mgr - Faculty Processor - faculties_mgr - SCI - "
            "updated: code=SCI, title=Science"
        ),
    ),
    "media/students/01000/K1000000/passport.jpg": ("a picture",),
    "accesscodes/CLR-1-2015_01_01_10_10_10-mgr.csv": ("CLR-1-1234567890,1,0",),
}
FOLDERS = ("accesscodes/imports", "deleted", "finished", "graduated", "logs", "unfinished")


def leave_storage(path: str) -> None:
    """Make the new folder `path` one of a data center of 1.9."""
    for folder in FOLDERS:
        os.makedirs(os.path.join(path, folder))
    for name, lines in STORAGE.items():
        _write(os.path.join(path, name), lines)


def tree(path: str) -> dict[str, bytes]:
    """Return the files below a folder with their contents, sorted by name."""
    found = {}
    for folder, _folders, names in os.walk(path):
        for name in names:
            with open(os.path.join(folder, name), "rb") as stream:
                found[os.path.relpath(stream.name, path)] = stream.read()
    return dict(sorted(found.items()))


def leave_exports() -> None:
    """Write exports of 1.9 into the working directory; the password of people is 'secret one'."""
    hashed = (
        "{SSHA}" + urlsafe_b64encode(sha1(b"secret one" + b"salt").digest() + b"salt").decode()
    )
    for name, lines in _EXPORTS.items():
        _write(f"{name}.csv", [line.replace("HASH", hashed) for line in lines])


_EXPORTS = {
    "users": (
        "name,title,public_name,description,email,phone,roles,local_roles,password",
        (
            "ada,Ada Obi,,,ada@example.org,+234-803-1234567#,['waeup.ImportManager'],"
            "{'waeup.local.DepartmentManager': [u'http://localhost/app/faculties/SCI/']},HASH"
        ),
        "bola,Bola Ade,,,,,['waeup.ACManager'],{},HASH",
    ),
    "faculties": (
        "code,title,title_prefix,users_with_local_roles,officer_1,officer_2",
        (
            "SCI,Science,faculty,\"[{'local_role': u'waeup.local.DepartmentManager', "
            "'user_name': u'ada'}]\",,"
        ),
        "ART,Arts,faculty,[],,",
    ),
    "departments": (
        (
            "code,faculty_code,title,title_prefix,users_with_local_roles,officer_1,officer_2,"
            "officer_3,officer_4"
        ),
        "CSC,SCI,Computer Science,department,[],,,,",
    ),
    "courses": (
        (
            "code,faculty_code,department_code,title,credits,passmark,semester,"
            "users_with_local_roles,former_course,results_validated_by,results_validation_date,"
            "results_validation_session"
        ),
        "CSC101,SCI,CSC,Programming,3,40,1,[],0,Dr. Obi,2015-03-01 10:00:00.123456+00:00#,2014",
        "CSC102,SCI,CSC,Machines,3,40,2,[],1,,,",
    ),
    "students": (
        (
            "adm_code,clr_code,date_of_birth,email,employer,firstname,flash_notice,lastname,"
            "matric_number,middlename,nationality,officer_comment,parents_email,perm_address,"
            "personal_updated,phone,reg_number,sex,student_id,suspended,suspended_comment,password,"
            "state,history,certcode,is_postgrad,current_level,current_session,entry_session"
        ),
        (
            "ADM-1-1234567890,,1998-07-01#,ann@example.org,,Ann,,Eke,M1,,NG,,,1 Main St.,"
            "2015-03-01 10:00:00+00:00#,--1234567#,R1,f,K1000000,0,,HASH,courses registered,"
            "[u'2015-03-01 10:00:00 WAT - Record created by mgr'],CERT1,0,100,2014,2014"
        ),
        (
            "ADM-1-1234567891,,,,,Benjamin,,Ojo,M2,,NG,,,,,,R2,m,K1000001,1,left,,admitted,[],"
            "CERT1,0,100,2014,2014"
        ),
    ),
    "coursetickets": (
        (
            "automatic,carry_over,code,course_category,credits,dcode,fcode,level,level_session,"
            "mandatory,outstanding,passmark,score,semester,ticket_session,title,student_id,certcode,"
            "display_fullname,previous"
        ),
        "1,0,CSC101,,3,CSC,SCI,100,2014,1,0,40,65,1,,Programming,K1000000,CERT1,Ann Eke,",
        "1,0,CSC101,,3,CSC,SCI,110,2015,1,0,40,,1,,Programming,K1000000,CERT1,Ann Eke,",
    ),
}


def _write(path: str, lines: "tuple[str, ...] | list[str]") -> None:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as stream:
        stream.write("\r\n".join((*lines, "")))
